"""The sitcom as a benchmark: published splits and their verification."""
