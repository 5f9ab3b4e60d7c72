"""The project's own layout, the data folder.

questions.json   questions, answers, spans and boxes, in TVQA+'s format
subtitles.json   the sentences of every clip
frames.json      the frame count of every clip (numbered frames)
features/        the feature store, computed by `stage features`; or ../features, shared by several splits
"""

from __future__ import annotations

from pathlib import Path

from stage.annotation.box_units import doubts
from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.annotation.questions import read_questions
from stage.data.examples import Limits
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.features.store.feature_store import FeatureStore
from stage.types import Clip, Question

QUESTIONS, SUBTITLES, FRAMES, FEATURES = "questions.json", "subtitles.json", "frames.json", "features"


def matches(folder: Path) -> bool:
    """Whether the folder contains questions."""
    return (folder / QUESTIONS).is_file()


def open_questions(folder: Path, limits: Limits) -> QuestionSet:
    """The questions with their features. Raises InputError naming what is missing and the command that creates it."""
    stores = [path for path in (folder / FEATURES, folder.parent / FEATURES) if path.is_dir()]
    if not stores:
        raise InputError(f"{folder}: has no features; compute them with `stage features all {folder}`")
    questions = read_questions(folder / QUESTIONS)
    store, notes = FeatureStore.open(stores[0]), tuple(doubts(questions))
    return QuestionSet(str(folder), questions, read_clips(folder), store, limits, notes)


def read_clips(folder: Path) -> dict[str, Clip]:
    """The clips of a data folder with their sentences."""
    sentences = read_subtitles(folder / SUBTITLES)
    return {
        name: Clip(name, frame_count, sentences=sentences.get(name, ()))
        for name, frame_count in read_frame_counts(folder / FRAMES).items()
    }


def read_annotation(folder: Path) -> tuple[list[Question], list[Clip]]:
    """The questions, and the clips with their sentences."""
    return read_questions(folder / QUESTIONS), list(read_clips(folder).values())


def advice(path: Path) -> str | None:
    """None: there is nothing to correct."""
    return None
