"""The sitcom drawn: a scene to a picture and the boxes in it."""
