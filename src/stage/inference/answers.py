"""The answers to many questions about a film: asked one by one, as a sequence, a table, and in a notebook"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import overload

from stage.errors import InputError
from stage.geometry import span_overlap
from stage.inference.asked import Asked, Id, as_read
from stage.types import Evidence, Question
from stage.wording import counted

MOST_FAILURES = 3
"""In a row; then the rest is not asked any more, since a server is down or a film is gone."""
MOST_SHOWN = 12
"""Answers that a notebook shows with their pictures."""
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A question that was not answered."""

    id: Id
    question: Question
    reason: str
    """One line for the user."""


def ask_each(
    ask: Callable[[Question], Evidence], questions: Iterable[Asked], *, freely: bool
) -> Iterator[tuple[Asked, Evidence | Failed]]:
    """Ask questions one by one; one that can't be asked or answered doesn't stop the others.

    freely: whether they may come without candidates. After MOST_FAILURES answers in a row that failed the rest fails
    without being asked.
    """
    in_a_row, last = 0, ""
    for asked in questions:
        try:
            question = as_read(asked.question, freely=freely)
        except InputError as error:
            yield asked, Failed(asked.id, asked.question, str(error))
            continue
        if in_a_row >= MOST_FAILURES:
            reason = f"not asked, since the {MOST_FAILURES} before it failed, the last because {last}"
            yield asked, Failed(asked.id, asked.question, reason)
            continue
        try:
            evidence = ask(question)
        except InputError as error:
            in_a_row, last = in_a_row + 1, str(error)
            yield asked, Failed(asked.id, asked.question, last)
        else:
            in_a_row = 0
            yield asked, evidence


@dataclass(frozen=True, eq=False, repr=False)
class Answers(Sequence[Evidence]):
    """The answers to several questions, in the order in which they were asked.

    A notebook shows them with pictures; `rows` makes a table of them, as for `pandas.DataFrame`.
    """

    evidence: tuple[Evidence, ...]
    ids: tuple[Id, ...]
    """Of the questions, one for each answer."""
    failed: tuple[Failed, ...] = ()
    """The questions that were not answered."""

    @classmethod
    def of(cls, results: Iterable[tuple[Asked, Evidence | Failed]]) -> Answers:
        """From what `ask_each` yields."""
        pairs = list(results)
        answered = [(asked.id, found) for asked, found in pairs if isinstance(found, Evidence)]
        failed = tuple(found for _, found in pairs if isinstance(found, Failed))
        return cls(tuple(found for _, found in answered), tuple(id_ for id_, _ in answered), failed)

    def __len__(self) -> int:
        return len(self.evidence)

    @overload
    def __getitem__(self, index: int) -> Evidence: ...
    @overload
    def __getitem__(self, index: slice) -> Answers: ...
    def __getitem__(self, index: int | slice) -> Evidence | Answers:
        if isinstance(index, slice):
            return Answers(self.evidence[index], self.ids[index])
        return self.evidence[index]

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed: {self.failed[0].reason}" if self.failed else ""
        return f"Answers({counted(len(self), 'answer')}{failed})"

    def rows(self) -> list[dict[str, Value]]:
        """A flat row for each answer, then one for each failed question; all have the same keys.

        Times in seconds; `right` and `span_iou` are None where the truth is unknown. A table of them is
        `pandas.DataFrame(answers.rows())`.
        """
        answered = (_row(id_, evidence) for id_, evidence in zip(self.ids, self.evidence, strict=True))
        failed = (
            dict.fromkeys(ROW) | {"id": each.id, "question": each.question.text, "error": each.reason}
            for each in self.failed
        )
        return [*answered, *failed]

    def _repr_html_(self) -> str:
        """Called by notebooks."""
        from stage.page.notebook import lines

        shown = [html for evidence in islice(self.evidence, MOST_SHOWN) if (html := evidence._repr_html_())]
        rest = []
        if more := len(self) - MOST_SHOWN:
            rest = [f"{more:,} more; rows() has all of them"] if more > 0 else []
        rest += [f"question {each.id} was not answered: {each.reason}" for each in self.failed[:MOST_SHOWN]]
        return "".join(shown) + lines(rest)


ROW = (
    "id", "clip", "question", "answer", "answer_index", "probability", "free", "start", "end", "right", "span_iou",
    "words", "boxes", "answered_by", "notes", "error",
)  # fmt: skip


def _row(id_: Id, evidence: Evidence) -> dict[str, Value]:
    question, prediction = evidence.question, evidence.prediction
    in_span = [words for moment in evidence.moments if moment.in_span for words in moment.grounding]
    values: tuple[Value, ...] = (
        id_,
        evidence.clip.name,
        question.text,
        evidence.answer,
        prediction.answer_index,
        None if evidence.free else prediction.probabilities[prediction.answer_index],
        evidence.free,
        *prediction.span,
        is_right(evidence),
        span_iou(evidence),
        ", ".join(dict.fromkeys(words.word for words in in_span if words.boxes)),
        sum(len(words.boxes) for words in in_span),
        evidence.answered_by.name if evidence.answered_by else "",
        "; ".join(evidence.notes),
        "",
    )
    return dict(zip(ROW, values, strict=True))


def is_right(evidence: Evidence) -> bool | None:
    """Whether the answer is the right one; None if that is unknown, or the answer was written freely."""
    right = evidence.question.answer_index
    return None if right is None or evidence.free else evidence.prediction.answer_index == right


def span_iou(evidence: Evidence) -> float | None:
    """Intersection over union of the predicted and the true span; None if the true one is unknown."""
    true = evidence.question.span
    return None if true is None else span_overlap(evidence.prediction.span, true)
