"""STAGE, apart from data and training."""
