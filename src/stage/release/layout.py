"""The released folder as a layout of data sets: FOLDER/SPLIT, or what was packed of it."""

from __future__ import annotations

from pathlib import Path

from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.annotation.questions import read_questions
from stage.data.examples import Limits
from stage.data.layouts import folder
from stage.data.question_set import QuestionSet
from stage.release.features import ReleasedFeatures, read_usable
from stage.release.files import ReleaseFiles, is_here, questions_file, splits
from stage.types import Clip, Question

PACKED_FOLDER = "packed"
"""Where `stage data pack` writes, below the released folder."""


def holds(place: Path) -> bool:
    return is_here(place.parent, place.name) or folder.holds(_packed(place))


def open_questions(place: Path, limits: Limits) -> QuestionSet:
    """What was packed of a split, or else the questions that have features in the released files themselves.

    What was left out or is odd stands in the set's notes.
    """
    return (
        folder.open_questions(_packed(place), limits)
        if folder.holds(_packed(place))
        else open_released(place, limits)
    )


def open_released(place: Path, limits: Limits) -> QuestionSet:
    """The same from the released files themselves."""
    source = ReleasedFeatures(ReleaseFiles.find(place.parent))
    questions, issues = read_usable(place.parent, place.name, source)
    return QuestionSet(str(place), questions, source.clips, source, limits, tuple(issues.summary()))


def read_text(place: Path) -> tuple[list[Question], list[Clip]]:
    if not is_here(place.parent, place.name):
        return folder.read_text(_packed(place))
    files = ReleaseFiles.find(place.parent)
    sentences = read_subtitles(files.subtitles)
    counts = read_frame_counts(files.frames)
    questions = read_questions(questions_file(place.parent, place.name))
    names = sorted({q.clip for q in questions} & counts.keys())
    return questions, [Clip(name, counts[name], sentences=sentences.get(name, ())) for name in names]


def advice(place: Path) -> str | None:
    """What to do if the folder of all splits is given."""
    found = splits(place)
    return f"holds several splits; add one to the path: {', '.join(found)}" if found else None


def _packed(place: Path) -> Path:
    return place.parent / PACKED_FOLDER / place.name
