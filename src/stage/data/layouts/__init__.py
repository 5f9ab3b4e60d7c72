"""Data set layouts on disk, each read into a `QuestionSet`."""

from stage.data.layouts.registry import check_places, open_questions

__all__ = ["check_places", "open_questions"]
