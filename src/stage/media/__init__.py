"""A film file to numbered frames, a subtitle file to timed sentences, and which sentences belong to a frame."""
