"""STAGE (Sec. 4 of the paper), its losses, and the systems that it is compared with."""
