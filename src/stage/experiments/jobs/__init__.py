"""Runs of systems over seeds, in parallel processes."""
