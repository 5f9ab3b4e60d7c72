"""Our own data folder.

questions.json   questions, answers, spans and boxes, in TVQA+'s layout
subtitles.json   the sentences of every clip
frames.json      the number of numbered frames of every clip
features/        vectors of words and regions, made by `stage features`; or ../features, shared by several splits
"""

from __future__ import annotations

from pathlib import Path

from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.annotation.questions import read_questions
from stage.data.examples import Limits
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.features.store.feature_store import FeatureStore
from stage.types import Clip, Question

QUESTIONS, SUBTITLES, FRAMES, FEATURES = "questions.json", "subtitles.json", "frames.json", "features"


def holds(folder: Path) -> bool:
    return (folder / QUESTIONS).is_file()


def open_questions(folder: Path, limits: Limits) -> QuestionSet:
    """Raises InputError naming what is missing and the command that makes it."""
    places = [place for place in (folder / FEATURES, folder.parent / FEATURES) if place.is_dir()]
    if not places:
        raise InputError(f"{folder}: has no features; make them with `stage features all {folder}`")
    questions = read_questions(folder / QUESTIONS)
    return QuestionSet(str(folder), questions, read_clips(folder), FeatureStore.open(places[0]), limits)


def read_clips(folder: Path) -> dict[str, Clip]:
    """The clips of a data folder, without pixels and vectors."""
    sentences = read_subtitles(folder / SUBTITLES)
    return {
        name: Clip(name, frame_count, sentences=sentences.get(name, ()))
        for name, frame_count in read_frame_counts(folder / FRAMES).items()
    }


def read_text(folder: Path) -> tuple[list[Question], list[Clip]]:
    return read_questions(folder / QUESTIONS), list(read_clips(folder).values())


def advice(place: Path) -> str | None:
    return None
