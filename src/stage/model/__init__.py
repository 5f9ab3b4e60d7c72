"""STAGE (Sec. 4 of the paper), its losses, and the systems it is compared with."""
