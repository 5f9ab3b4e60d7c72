"""The systems that STAGE is compared with, one file each."""
