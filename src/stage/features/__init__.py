"""Words and frames to vectors, and where the vectors are kept."""
