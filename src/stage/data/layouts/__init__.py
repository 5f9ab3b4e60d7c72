"""How data sets lie on disk. Each module reads one layout into a `QuestionSet`; `open_questions` tells them apart."""

from stage.data.layouts.registry import open_questions

__all__ = ["open_questions"]
