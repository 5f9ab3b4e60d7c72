"""The sitcom as a published benchmark: its splits, and whether a folder holds one."""
