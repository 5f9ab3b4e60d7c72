"""Training: STAGE and its baselines, text encoders, the packaged detector."""
