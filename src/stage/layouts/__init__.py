"""How data sets lie on disk. Each module reads one layout into a `QuestionSet`; `open_questions` tells them apart."""

from stage.layouts.choose import open_questions

__all__ = ["open_questions"]
