"""Checks of an annotation: missing labels, impossible boxes, other units, duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from stage.annotation.box_units import doubts, fractions_message
from stage.annotation.issues import Issues
from stage.annotation.questions import question_from_entry, read_entries
from stage.annotation.vocabulary import normalise_word
from stage.errors import InputError
from stage.types import FRAMES_PER_SECOND, Question

WIDTH, HEIGHT = 640, 360
"""Size in pixels of the frames that boxes refer to."""


def check_annotation(path: Path) -> tuple[list[Question], Issues]:
    """The readable questions of a file, and all of the file's issues.

    Raises InputError only if the file is not a list of questions.
    """
    issues = Issues()
    by_qid: dict[int, Question] = {}
    for number, entry in enumerate(read_entries(path), 1):
        try:
            question = question_from_entry(entry, number, path)
        except InputError as error:
            issues.add("questions that can't be read", str(error))
            continue
        if question.qid in by_qid:
            issues.add(
                "questions with a duplicate qid", f"{question_location(question, path)}, entry {number}"
            )
            continue
        by_qid[question.qid] = question
        check_question(question, path, issues)
        check_labels(question, path, issues)
    check_box_units(list(by_qid.values()), path, issues)
    return list(by_qid.values()), issues


def check_box_units(questions: Sequence[Question], path: Path, issues: Issues) -> None:
    """Report boxes that are, or may be, in other units than pixels."""
    if message := fractions_message(questions):
        issues.add("files of boxes that aren't in pixels", f"{path}: {message}")
        return
    for doubt in doubts(questions):
        issues.add("files of boxes that may be in other units", f"{path}: {doubt}")


def question_location(question: Question, path: Path) -> str:
    """The question and its file, for messages."""
    return f"question {question.qid} in {path}"


def check_question(question: Question, path: Path, issues: Issues) -> None:
    """Report missing labels of a question, and boxes outside the frame."""
    location = question_location(question, path)
    if question.answer_index is None:
        issues.add("questions without a right answer", location)
    if question.span is None:
        issues.add("questions without a span", location)
    if not any(question.boxes.values()):
        issues.add("questions without boxes", location)
    for frame, boxes in question.boxes.items():
        for box in boxes:
            if box.left < 0 or box.top < 0 or box.right > WIDTH or box.bottom > HEIGHT:
                issues.add(
                    "boxes that extend beyond the frame", f"{box.label!r} in frame {frame}, {location}"
                )


def check_labels(question: Question, path: Path, issues: Issues) -> None:
    """Report frames, boxes, labels and answers of a question that contradict one another."""
    location = question_location(question, path)
    for frame, boxes in question.boxes.items():
        if not boxes:
            issues.add("frames without boxes", f"frame {frame}, {location}")
        second = frame / FRAMES_PER_SECOND
        if question.span and not question.span[0] <= second <= question.span[1]:
            span = "{:g} to {:g} s".format(*question.span)
            issues.add(
                "annotated frames outside the span", f"frame {frame} ({second:.2f} s, not {span}), {location}"
            )
        for box in boxes:
            if box.right <= box.left or box.bottom <= box.top:
                issues.add("boxes with zero area", f"{box.label!r} in frame {frame}, {location}")
    for label in _unmatched_labels(question):
        issues.add("labels in neither question nor right answer", f"{label!r}, {location}")
    if len(set(question.answers)) < len(question.answers):
        issues.add("questions with duplicate answers", location)


def _unmatched_labels(question: Question) -> Iterator[str]:
    """Labels of boxes that are no word of the question or its right answer, sorted."""
    text = question.text
    if question.answer_index is not None:
        text += f" {question.answers[question.answer_index]}"
    words = set(map(normalise_word, text.split()))
    labels = {box.label for boxes in question.boxes.values() for box in boxes}
    yield from sorted(label for label in labels if normalise_word(label) not in words)
