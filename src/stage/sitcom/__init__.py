"""The sitcom, a synthetic data set: drawn episodes with exact labels."""
