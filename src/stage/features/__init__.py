"""Word vectors and region features: extraction, projection, storage."""
