"""Region detectors: frames to boxes and vectors."""
