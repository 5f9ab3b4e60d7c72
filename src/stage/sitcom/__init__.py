"""A drawn world with exact truth."""
