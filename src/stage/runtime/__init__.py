"""What this machine computes on, with how many cores, and how it keeps memory."""
