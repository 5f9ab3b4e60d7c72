"""What is irregular in an annotation, question by question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stage.annotation.issues import Issues
from stage.annotation.questions import question_from_entry, read_entries
from stage.annotation.vocabulary import fold
from stage.errors import InputError
from stage.types import FRAMES_PER_SECOND, Question

WIDTH, HEIGHT = 640, 360
"""Boxes are in pixels of such a picture."""


def check_annotation(path: Path) -> tuple[list[Question], Issues]:
    """The questions of a file that can be read, and everything irregular about all of them.

    Raises InputError only if the file is no list of questions.
    """
    findings = Issues()
    known: dict[int, Question] = {}
    for number, entry in enumerate(read_entries(path), 1):
        try:
            question = question_from_entry(entry, number, path)
        except InputError as error:
            findings.add("questions that can't be read", str(error))
            continue
        if question.qid in known:
            findings.add(
                "questions with the qid of an earlier one", f"{named(question, path)}, entry {number}"
            )
            continue
        known[question.qid] = question
        check_question(question, path, findings)
        check_labels(question, path, findings)
    return list(known.values()), findings


def named(question: Question, path: Path) -> str:
    return f"question {question.qid} in {path}"


def check_question(question: Question, path: Path, findings: Issues) -> None:
    """What a question lacks, and boxes that lie outside the picture."""
    where = named(question, path)
    if question.answer_index is None:
        findings.add("questions without an answer", where)
    if question.span is None:
        findings.add("questions without a span", where)
    if not any(question.boxes.values()):
        findings.add("questions without boxes", where)
    for frame, boxes in question.boxes.items():
        for box in boxes:
            if box.left < 0 or box.top < 0 or box.right > WIDTH or box.bottom > HEIGHT:
                findings.add("boxes that reach past the picture", f"{box.label!r} in frame {frame}, {where}")


def check_labels(question: Question, path: Path, findings: Issues) -> None:
    """Whether a question's frames, boxes, labels and answers fit one another."""
    where = named(question, path)
    for frame, boxes in question.boxes.items():
        if not boxes:
            findings.add("frames without boxes", f"frame {frame}, {where}")
        second = frame / FRAMES_PER_SECOND
        if question.span and not question.span[0] <= second <= question.span[1]:
            span = "{:g} to {:g} s".format(*question.span)
            findings.add(
                "annotated frames outside the span", f"frame {frame} ({second:.2f} s, not {span}), {where}"
            )
        for box in boxes:
            if box.right <= box.left or box.bottom <= box.top:
                findings.add("boxes without an area", f"{box.label!r} in frame {frame}, {where}")
    for label in _strange_labels(question):
        findings.add("labels in neither question nor right answer", f"{label!r}, {where}")
    if len(set(question.answers)) < len(question.answers):
        findings.add("questions with the same answer twice", where)


def _strange_labels(question: Question) -> Iterator[str]:
    said = question.text
    if question.answer_index is not None:
        said += f" {question.answers[question.answer_index]}"
    words = set(map(fold, said.split()))
    labels = {box.label for boxes in question.boxes.values() for box in boxes}
    yield from sorted(label for label in labels if fold(label) not in words)
