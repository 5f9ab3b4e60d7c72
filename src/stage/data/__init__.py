"""Data sets on disk to batches of questions, features and labels."""
