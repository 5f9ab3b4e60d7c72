"""Questions as they are asked: their ids, and their texts as models read them"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stage.errors import InputError
from stage.media.subtitles import tokenise
from stage.types import Evidence, Question
from stage.wording import counted

Id = int | str
"""A question's own id, as it was given."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to be asked, with its texts as they were written."""

    id: Id
    question: Question

    def shown(self, evidence: Evidence) -> Evidence:
        """The evidence with the texts as they were written; models read them without dashes and brackets."""
        answers = evidence.question.answers if evidence.free else self.question.answers
        return replace(
            evidence, question=replace(evidence.question, text=self.question.text, answers=answers)
        )


def as_read(question: Question, *, freely: bool) -> Question:
    """The question with its texts tokenised, as models read them.

    freely: whether it may come without candidates. Raises InputError if it can't be asked.
    """
    if freely and not question.answers:
        return replace(question, text=checked_question(question.text))
    text, answers = tokenise_question(question.text, question.answers)
    return replace(question, text=text, answers=answers)


def checked_question(question: str) -> str:
    """A question, tokenised. Raises InputError if it is empty or no text."""
    if not isinstance(question, str):
        raise InputError(f"the question has to be a text, but is {question!r}; write it as a string")
    if not (text := tokenise(question)):
        raise InputError("the question is empty; write one, such as --question 'Who is at the door ?'")
    return text


def tokenise_question(question: str, answers: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Question and answers, tokenised.

    Raises InputError if one is empty or no text, there are fewer than two answers, or two differ in signs alone.
    """
    if isinstance(answers, str):
        raise InputError(f"the answers are one text, {answers!r}; give a list of two or more")
    if strange := [given for given in (question, *answers) if not isinstance(given, str)]:
        raise InputError(
            f"question and answers have to be texts, but one is {strange[0]!r}; write it as a string"
        )
    text = checked_question(question)
    candidates = tuple(tokenise(answer) for answer in answers)
    if len(candidates) < 2:
        raise InputError(f"{counted(len(candidates), 'candidate answer')} given; give two or more")
    for i, candidate in enumerate(candidates):
        if not candidate:
            raise InputError(f"candidate answer {i + 1} is empty; fill it in or leave it out")
        first = candidates.index(candidate)
        if answers[first].split() != answers[i].split():
            raise InputError(
                f"candidate answers {first + 1} and {i + 1} are both {candidate!r} to the model, which reads no "
                "dashes, brackets and quotation marks; put the difference into words"
            )
    return text, candidates
