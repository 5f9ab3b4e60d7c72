"""Long work that is resumed: predictions of a data set, and answers about a film, kept in a journal"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stage.errors import InputError
from stage.inference.answerer import Answerer, DataSetAnswers, OpenFilm, Setup
from stage.inference.asked import Asked, as_read
from stage.inference.evidence_json import from_json, to_json
from stage.inference.journal import Journal
from stage.media.video import fingerprint
from stage.types import Box, Evidence, Prediction, Progress, Question, WordBoxes


def work_of_data(answerer: Answerer, setup: Setup, questions: Sequence[Question]) -> dict[str, Any]:
    """What tells the predictions of a data set from others."""
    asked = [(q.qid, q.clip, q.text, q.answers) for q in questions]
    return {"by": answerer.identity, "setup": asdict(setup), "questions": _digest(asked)}


def work_of_film(film: OpenFilm, setup: Setup) -> dict[str, Any]:
    """What tells the answers about a film from others. Raises InputError if the film can't be read any more."""
    sentences = [(s.start, s.end, s.text) for s in film.clip.sentences]
    by = film.answered_by.name, film.answerer.identity
    return {"by": by, "setup": asdict(setup), "film": fingerprint(film.film.path), "said": _digest(sentences)}


def resumed_predictions(answers: DataSetAnswers, journal: Journal | None) -> Iterator[Prediction]:
    """The predictions that were kept, then the rest, each kept as it is made.

    journal: None if nothing is kept. Raises InputError as `answers.predict`, and if what was kept is damaged.
    """
    if journal is None or answers.predict_rest is None:
        yield from answers.predict()
        return
    known = {question.qid for question in answers.questions}
    done = set()
    for key, content in journal.found.items():
        prediction = _prediction(content, journal)
        if str(prediction.qid) != key or prediction.qid not in known:
            raise InputError(f"{journal.path}: question {key} is damaged; delete the file to start anew")
        done.add(prediction.qid)
        yield prediction
    for prediction in answers.predict_rest(frozenset(done)) if done < known else ():
        journal.keep(str(prediction.qid), asdict(prediction))
        yield prediction


def _prediction(content: Any, journal: Journal) -> Prediction:
    try:
        grounding = tuple(
            WordBoxes(
                int(words["hypothesis"]),
                int(words["frame"]),
                str(words["word"]),
                tuple(Box(**box) for box in words["boxes"]),
            )
            for words in content["grounding"]
        )
        return Prediction(
            int(content["qid"]),
            str(content["clip"]),
            int(content["answer_index"]),
            tuple(map(float, content["probabilities"])),
            tuple((float(start), float(end)) for start, end in content["spans"]),
            grounding,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{journal.path}: is damaged ({error!r}); delete it to start anew") from None


class KeptAnswers:
    """The answers about a film that were kept, and those that are kept now."""

    def __init__(self, film: OpenFilm, journal: Journal) -> None:
        self.film, self.journal = film, journal
        self.used = 0
        """How many answers were there already."""

    def ask(self, question: Question, *, progress: Progress | None = None) -> Evidence:
        """The answer that was kept, or a new one, which is kept. Raises InputError as the film does."""
        key = _digest((question.text, question.answers))
        if (content := self.journal.found.get(key)) is not None:
            try:
                evidence = from_json(content, question, self.film.clip)
            except ValueError as error:
                raise InputError(
                    f"{self.journal.path}: is damaged ({error}); delete it to start anew"
                ) from None
            self.used += 1
            return evidence
        evidence = self.film.ask_question(question, progress=progress)
        self.journal.keep(key, to_json(evidence))
        return evidence


def kept_before(journal: Journal, questions: Sequence[Asked], *, freely: bool) -> int:
    """How many of the questions have an answer that was kept."""
    count = 0
    for asked in questions:
        try:
            question = as_read(asked.question, freely=freely)
        except InputError:
            continue
        count += _digest((question.text, question.answers)) in journal.found
    return count


def json_line(asked: Asked, evidence: Evidence) -> Mapping[str, Any]:
    """An answer as a line of a file of many: the question's id, and the keys of `to_json`."""
    return {"id": asked.id, **to_json(asked.shown(evidence))}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
