"""What the authors released: their features, read and packed; their checkpoints as models of ours."""
