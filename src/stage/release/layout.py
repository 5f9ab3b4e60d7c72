"""The layout of released features: FOLDER/SPLIT, packed or as released."""

from __future__ import annotations

from pathlib import Path

from stage.annotation.box_units import doubts
from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.annotation.labels import LAST_FRAME
from stage.annotation.questions import read_questions
from stage.data.examples import Limits
from stage.data.layouts import folder
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.release.features import ReleasedFeatures, read_split
from stage.release.files import ReleaseFiles, has_split, questions_file, splits
from stage.types import Clip, Question

PACKED_FOLDER = "packed"
"""The subfolder that `stage data pack` writes to by default."""


def matches(path: Path) -> bool:
    """Whether the path is a split, released or packed."""
    return has_split(path.parent, path.name) or folder.matches(_packed(path))


def open_questions(path: Path, limits: Limits) -> QuestionSet:
    """The packed split if there is one, or else the questions that have released features.

    Questions that were omitted, and other issues, are in the set's notes. Raises InputError naming what is missing.
    """
    return (
        folder.open_questions(_packed(path), limits)
        if folder.matches(_packed(path))
        else open_released(path, limits)
    )


def open_released(path: Path, limits: Limits) -> QuestionSet:
    """Like `open_questions`, but ignores what was packed."""
    source = ReleasedFeatures(ReleaseFiles.find(path.parent))
    questions, issues = read_split(path.parent, path.name, source)
    notes = (*issues.summary(), *doubts(questions))
    if not questions:
        raise InputError(f"{path}: has no questions that can be used; {notes[0]}")
    return QuestionSet(str(path), questions, source.clips, source, limits, notes, last_frame=LAST_FRAME)


def read_annotation(path: Path) -> tuple[list[Question], list[Clip]]:
    """The questions of a split, and its clips with their sentences."""
    if not has_split(path.parent, path.name):
        return folder.read_annotation(_packed(path))
    files = ReleaseFiles.find(path.parent)
    sentences = read_subtitles(files.subtitles)
    counts = read_frame_counts(files.frames)
    questions = read_questions(questions_file(path.parent, path.name))
    names = sorted({q.clip for q in questions} & counts.keys())
    return questions, [Clip(name, counts[name], sentences=sentences.get(name, ())) for name in names]


def advice(path: Path) -> str | None:
    """How to correct the path if it is the folder that contains the splits; None if it isn't."""
    names = splits(path)
    return f"contains several splits; add one to the path: {', '.join(names)}" if names else None


def _packed(path: Path) -> Path:
    return path.parent / PACKED_FOLDER / path.name
