"""Experiments: the systems of the paper's tables, their runs, error analysis."""
