"""The sitcom: generated episodes with films, questions and exact labels."""
