"""Film files to numbered frames, subtitle files to timed sentences."""
