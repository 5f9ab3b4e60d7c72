"""The release of the paper's authors: their features and checkpoints."""
