"""Checks of an annotation: missing labels, impossible boxes, other units, duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from stage.annotation.box_units import doubts, fractions_message
from stage.annotation.clip_checks import check_times
from stage.annotation.issues import Issues
from stage.annotation.questions import question_from_entry, read_entries
from stage.annotation.vocabulary import normalise_word
from stage.errors import InputError
from stage.types import FRAMES_PER_SECOND, Clip, Question

WIDTH, HEIGHT = 640, 360
"""Size in pixels of the frames that boxes of the released data refer to."""

SizeOf = Callable[[str], tuple[int, int] | None]
"""A clip's name -> width and height of its frames in pixels; None if they aren't known."""


def released_size(clip: str) -> tuple[int, int]:
    """The size of all clips of the released data."""
    return WIDTH, HEIGHT


def unknown_size(clip: str) -> None:
    """For clips of which nothing is known."""


def check_annotation(
    path: Path, size_of: SizeOf = unknown_size, clips: Mapping[str, Clip] | None = None
) -> tuple[list[Question], Issues]:
    """The readable questions of a file, and all of the file's issues.

    clips: those that spans and annotated frames are held against; if None, times aren't checked at all. Raises
    InputError only if the file is not a list of questions.
    """
    issues = Issues()
    by_qid: dict[int, Question] = {}
    for number, entry in enumerate(read_entries(path), 1):
        try:
            question = question_from_entry(entry, number, path)
        except InputError as error:
            issues.add(
                "questions that can't be read", str(error), "correct the entry, or leave it out", error=True
            )
            continue
        if question.qid in by_qid:
            location = f"{question_location(question, path)}, entry {number}"
            issues.add("questions with a duplicate qid", location, "give each its own qid", error=True)
            continue
        by_qid[question.qid] = question
        check_question(question, path, issues, size_of(question.clip))
        check_labels(question, path, issues)
        if clips is not None:
            check_times(question, clips.get(question.clip), question_location(question, path), issues)
    questions = list(by_qid.values())
    check_candidates(questions, path, issues)
    check_box_units(questions, path, issues)
    if not questions and not issues.by_kind:
        issues.add("files without questions", str(path), "write questions", error=True)
    return questions, issues


def check_candidates(questions: Sequence[Question], path: Path, issues: Issues) -> None:
    """Report questions that have another number of candidate answers than most: a data set can have only one."""
    counts = Counter(len(question.answers) for question in questions)
    for question in questions if len(counts) > 1 else ():
        if (count := len(question.answers)) != (usual := counts.most_common(1)[0][0]):
            location = f"{count} instead of {usual}, {question_location(question, path)}"
            issues.add(
                "questions with another number of answers",
                location,
                "give all questions the same number of candidates",
                error=True,
            )


def check_box_units(questions: Sequence[Question], path: Path, issues: Issues) -> None:
    """Report boxes that are, or may be, in other units than pixels."""
    if message := fractions_message(questions):
        issues.add("files of boxes that aren't in pixels", f"{path}: {message}", error=True)
        return
    for doubt in doubts(questions):
        issues.add("files of boxes that may be in other units", f"{path}: {doubt}")


def question_location(question: Question, path: Path) -> str:
    """The question and its file, for messages."""
    return f"question {question.qid} in {path}"


def check_question(question: Question, path: Path, issues: Issues, size: tuple[int, int] | None) -> None:
    """Report missing labels of a question, and boxes outside the frame. size: of its clip; None if unknown."""
    location = question_location(question, path)
    if question.answer_index is None:
        issues.add("questions without a right answer", location, "give answer_idx: they can't be trained on")
    if question.span is None:
        issues.add("questions without a span", location)
    if not any(question.boxes.values()):
        issues.add("questions without boxes", location)
    for frame, boxes in question.boxes.items():
        for box in boxes:
            beyond = size is not None and (box.right > size[0] or box.bottom > size[1])
            if box.left < 0 or box.top < 0 or beyond:
                issues.add(
                    "boxes that extend beyond the frame",
                    f"{box.label!r} in frame {frame}, {location}",
                    "give left, top, width and height in pixels of the film",
                )


def check_labels(question: Question, path: Path, issues: Issues) -> None:
    """Report frames, boxes, labels and answers of a question that contradict one another."""
    location = question_location(question, path)
    for frame, boxes in question.boxes.items():
        if not boxes:
            issues.add(
                "frames without boxes", f"frame {frame}, {location}", "add boxes, or leave the frame out"
            )
        second = frame / FRAMES_PER_SECOND
        if question.span and not question.span[0] <= second <= question.span[1]:
            span = "{:g} to {:g} s".format(*question.span)
            issues.add(
                "annotated frames outside the span",
                f"frame {frame} ({second:.2f} s, not {span}), {location}",
                "correct ts, or the frame's number (three per second, from 1)",
            )
        for box in boxes:
            if box.right <= box.left or box.bottom <= box.top:
                issues.add(
                    "boxes with zero area", f"{box.label!r} in frame {frame}, {location}", "leave them out"
                )
    for label in _unmatched_labels(question):
        advice = "label boxes with a word of the question or the right answer"
        issues.add("labels in neither question nor right answer", f"{label!r}, {location}", advice)
    if len(set(question.answers)) < len(question.answers):
        issues.add("questions with duplicate answers", location, "make the answers differ")


def _unmatched_labels(question: Question) -> Iterator[str]:
    """Labels of boxes that are no word of the question or its right answer, sorted."""
    text = question.text
    if question.answer_index is not None:
        text += f" {question.answers[question.answer_index]}"
    words = set(map(normalise_word, text.split()))
    labels = {box.label for boxes in question.boxes.values() for box in boxes}
    yield from sorted(label for label in labels if normalise_word(label) not in words)
