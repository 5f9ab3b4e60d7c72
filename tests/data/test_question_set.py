"""Questions with features, and their projections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.types import Clip


def test_questions_with_differing_numbers_of_candidates_are_named(random_data: Path) -> None:
    questions = open_questions(random_data, Limits())
    fewer = replace(questions.questions[3], answers=questions.questions[3].answers[:2])
    mixed = [*questions.questions[:3], fewer]
    with pytest.raises(InputError, match=rf"question {fewer.qid} has 2 candidate answers, but .* has 3"):
        QuestionSet("mixed", mixed, questions.clips, questions.source, questions.limits)


def test_whitening_uses_only_clips_with_questions(sitcom_data: Path) -> None:
    whole = open_questions(sitcom_data, Limits())
    clips = {**whole.clips, "silent": Clip("silent", frame_count=0)}
    more = QuestionSet("more", whole.questions, clips, whole.source, whole.limits)
    ours, theirs = (
        questions.fit_projections(12, whiten=True, regions_are_words=False, seed=0).regions
        for questions in (whole, more)
    )
    assert ours is not None
    assert theirs is not None
    assert np.array_equal(ours.components, theirs.components)
