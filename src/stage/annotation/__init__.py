"""Annotation and prediction files, their checks, and training labels."""
