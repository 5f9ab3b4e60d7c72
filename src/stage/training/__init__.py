"""Training of STAGE and the baselines, of text encoders, of the detector."""
