"""The project's own layout, the data folder.

questions.json   questions, answers, spans and boxes, in TVQA+'s format
subtitles.json   the sentences of every clip
frames.json      the frame count of every clip (numbered frames)
episodes/        the films, named as their clips; needed to make the files above and the features
features/        the feature store, computed by `stage features`; or ../features, shared by several splits
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stage.annotation.box_units import doubts
from stage.annotation.clip_checks import times_summary
from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.annotation.labels import LAST_FRAME
from stage.annotation.questions import read_questions
from stage.data.examples import Limits
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.features.films import check_films
from stage.features.store.feature_store import FeatureStore
from stage.features.store.film_record import FilmRecord
from stage.types import Clip, Question

QUESTIONS, SUBTITLES, FRAMES = "questions.json", "subtitles.json", "frames.json"
EPISODES, FEATURES = "episodes", "features"
FRAME_TOLERANCE = 3
"""Numbered frames (one second) by which frames.json may differ from a film: the shorter of both is used."""


def matches(folder: Path) -> bool:
    """Whether the folder contains questions."""
    return (folder / QUESTIONS).is_file()


def open_questions(folder: Path, limits: Limits) -> QuestionSet:
    """The questions with their features. Raises InputError naming what is missing and the command that creates it."""
    check_files(folder, features=True)
    questions = read_questions(folder / QUESTIONS)
    store = FeatureStore.open(features_of(folder) or folder / FEATURES)
    films = recorded_films(store, sorted({q.clip for q in questions}))
    check_films(store, folder / EPISODES, films)
    clips = read_clips(folder, films)
    notes = _notes(folder, questions, clips)
    last_frame = LAST_FRAME if is_released(store) else None
    return QuestionSet(str(folder), questions, clips, store, limits, notes, last_frame=last_frame)


def notes_of(folder: Path) -> tuple[str, ...]:
    """Messages to the user about questions and clips, as those of a `QuestionSet`; needs no features."""
    clips = read_clips(folder)
    return _notes(folder, read_questions(folder / QUESTIONS), clips)


def _notes(folder: Path, questions: Sequence[Question], clips: Mapping[str, Clip]) -> tuple[str, ...]:
    asked = {name: clips[name] for name in sorted({q.clip for q in questions} & clips.keys())}
    return (*doubts(questions), *times_summary(questions, asked, folder / QUESTIONS, folder / SUBTITLES))


def times_of(annotation: Path, questions: Sequence[Question]) -> tuple[str, ...]:
    """Notes on spans that can never be found, and frames that can't be, a line per kind.

    Spans are held against the lengths of their clips if the annotation lies in a data folder.
    """
    try:
        counts = read_frame_counts(annotation.parent / FRAMES) if annotation.name == QUESTIONS else {}
    except InputError:  # there is none, or another data set's
        counts = {}
    return times_summary(questions, {name: Clip(name, count) for name, count in counts.items()}, annotation)


def is_released(store: FeatureStore) -> bool:
    """Whether these are the authors' released features, packed."""
    return store.attributes.found_by == "name"


def check_files(folder: Path, *, features: bool = False) -> None:
    """Look whether a data folder is complete, before anything is read.

    Raises InputError naming everything that is missing, and the commands that make it. features: they are needed too.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; check the path")
    absent = [name for name in (QUESTIONS, SUBTITLES, FRAMES) if not (folder / name).is_file()]
    advice = ["write the questions"] if QUESTIONS in absent else []
    if made := [name for name in absent if name != QUESTIONS]:
        advice.append(f"make {' and '.join(made)} with `stage data make {folder}`")
    if features and not features_of(folder):
        absent.append("features")
        advice.append(f"compute features with `stage features all {folder}`")
    if absent:
        raise InputError(f"{folder}: has no {' and no '.join(absent)}; {', then '.join(advice)}")


def features_of(folder: Path) -> Path | None:
    """The folder of its features: its own, or that next to it, which several splits share; None if there are none."""
    stores = (folder / FEATURES, folder.parent / FEATURES)
    return next((path for path in stores if path.is_dir()), None)


def read_clips(folder: Path, films: Mapping[str, FilmRecord] | None = None) -> dict[str, Clip]:
    """The clips of a data folder with their sentences.

    films: clip -> its film, whose size is then the clip's; of their lengths and those in frames.json the shorter is
    used. Raises InputError if a length in frames.json isn't the film's.
    """
    check_files(folder)
    sentences = read_subtitles(folder / SUBTITLES)
    clips = {
        name: Clip(name, count, sentences=sentences.get(name, ()))
        for name, count in read_frame_counts(folder / FRAMES).items()
    }
    films = {name: film for name, film in (films or {}).items() if name in clips}
    counts = {name: film.frame_count for name, film in films.items()}
    refuse_lengths(folder, clips.values(), counts, " according to its features")
    return clips | {
        name: replace(
            clips[name],
            frame_count=min(clips[name].frame_count, film.frame_count),
            width=film.width,
            height=film.height,
        )
        for name, film in films.items()
    }


def recorded_films(store: FeatureStore, clips: Iterable[str]) -> dict[str, FilmRecord]:
    """Clip -> the film that its features in a store are of, where they record it."""
    names = () if is_released(store) else clips
    stored = ((name, store.film(name)) for name in names if store.has_clip(name))
    return {name: film for name, film in stored if film is not None}


def refuse_lengths(folder: Path, clips: Iterable[Clip], films: Mapping[str, int], when: str = "") -> None:
    """Hold the lengths of clips in frames.json against their films'.

    films: clip -> its film's frame count; when: that was its count, for the message. Raises InputError if they differ
    by more than FRAME_TOLERANCE.
    """
    wrong = [c for c in clips if c.name in films and abs(c.frame_count - films[c.name]) > FRAME_TOLERANCE]
    if wrong:
        first, others = wrong[0], f" (and {len(wrong) - 1:,} more clips)" if len(wrong) > 1 else ""
        raise InputError(
            f"{folder / FRAMES}, clip {first.name}: says {first.frame_count:,} frames, but the film has "
            f"{films[first.name]:,}{when}{others}; make the file from the films with "
            f"`stage data make {folder} --overwrite`"
        )


def read_annotation(folder: Path) -> tuple[list[Question], list[Clip]]:
    """The questions, and the clips with their sentences."""
    return read_questions(folder / QUESTIONS), list(read_clips(folder).values())


def advice(path: Path) -> str | None:
    """None: there is nothing to correct."""
    return None
