"""Data set layouts on disk, each read into a `QuestionSet`."""

from stage.data.layouts.registry import open_questions

__all__ = ["open_questions"]
