"""Text encoders: words to vectors."""
