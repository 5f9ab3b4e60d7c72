"""Questions, features and truth: from data sets on disk to batches."""
