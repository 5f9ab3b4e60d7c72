"""Answerers without a model: the first candidate is the answer, and a server can go down."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stage.annotation.questions import read_questions
from stage.errors import InputError
from stage.inference import names
from stage.inference.answerer import Answerer, DataSetAnswers, OpenFilm, Setup
from stage.media.film import Film
from stage.types import (
    AnsweredBy,
    AttendedSentence,
    Box,
    Evidence,
    Moment,
    Prediction,
    Progress,
    Question,
    TrackRecord,
    WordBoxes,
)

RECORD = TrackRecord("films of one colour", 81, 0.41, 0.2, 0.38)
DOWN = "http://localhost:1: the server is down; start it"


@dataclass
class Server:
    """What all fake answerers share."""

    asked: list[str] = field(default_factory=list)
    """The questions that were asked, in order."""
    works_for: int = 1_000
    """How many more questions it answers."""
    broken: frozenset[str] = frozenset()
    """Questions that it can't answer."""
    setups: list[Setup] = field(default_factory=list)

    def answer(self, question: Question) -> None:
        if not self.works_for or question.text in self.broken:
            raise InputError(DOWN)
        self.works_for -= 1
        self.asked.append(question.text)


SERVER = Server()


def use(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Make the answerers "fake:..." known for a test; "fake:free" also answers without candidates."""
    monkeypatch.setitem(names.KINDS, "fake:", "samples.answerers")
    server = Server()
    monkeypatch.setattr("samples.answerers.SERVER", server)
    return server


def load(spec: str | Path, setup: Setup) -> FakeAnswerer:
    SERVER.setups.append(setup)
    return FakeAnswerer(str(spec))


class FakeAnswerer(Answerer):
    def __init__(self, spec: str) -> None:
        self.spec = spec
        self.answers_freely = spec == "fake:free"

    @property
    def name(self) -> str:
        return self.spec

    def look_at(
        self, film: Film, *, cache: str | Path | None = None, progress: Progress | None = None
    ) -> FakeFilm:
        by = AnsweredBy(self.name, "it is the only one here", None if self.answers_freely else RECORD)
        return FakeFilm(self, film.video, film.clip, film.notes, answered_by=by)

    def answers(self, data: str | Path, *, for_scores: bool = False, fast: bool = False) -> DataSetAnswers:
        questions = read_questions(data / "questions.json")

        def predict(done: Collection[int] = ()) -> Iterator[Prediction]:
            for question in questions:
                if question.qid not in done:
                    SERVER.answer(question)
                    yield prediction(question)

        return DataSetAnswers(str(data), questions, predict, ("a fake",), predict_rest=predict)


def prediction(question: Question) -> Prediction:
    """The first candidate, from 1 to 2 s, with a box of the question's last word."""
    count = max(1, len(question.answers))
    probabilities = (0.999996, *[0.000004 / (count - 1)] * (count - 1)) if count > 1 else (1.0,)
    words = WordBoxes(0, 7, question.text.split()[-2], (Box(4.0, 2.0, 20.0, 12.0, "", 0.75),))
    return Prediction(question.qid, question.clip, 0, probabilities, ((1.0, 2.0),) * count, (words,))


@dataclass(frozen=True, eq=False, repr=False)
class FakeFilm(OpenFilm):
    def evidence(self, question: Question, progress: Progress | None = None) -> Evidence:
        SERVER.answer(question)
        free = not question.answers
        if free:
            question = Question(
                question.qid, question.clip, question.text, ("<b>A man</b> - who else?",), None, question.span
            )
        word = question.text.split()[-2]
        box = Box(4.0, 2.0, 20.0, 12.0, word, 0.75)
        said = tuple(AttendedSentence(s, (0.5,) * len(s.words)) for s in self.clip.sentences)
        moments = (
            Moment(1, 0.2, 0.1, (), (), False),
            Moment(7, 0.8, 0.9, (WordBoxes(0, 7, word, (box,)),), said, True),
        )
        found = Prediction(
            question.qid,
            self.clip.name,
            0,
            prediction(question).probabilities,
            ((1.0, 2.0),) * len(question.answers),
        )
        return Evidence(self.clip, question, found, (word,), moments, self.notes, free=free)
