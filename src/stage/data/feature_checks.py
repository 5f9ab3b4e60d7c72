"""Features held against the questions, subtitles and films of their data folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stage.annotation.issues import Issues
from stage.annotation.labels import LAST_FRAME, frames_of_question
from stage.data.layouts.folder import features_of, is_released
from stage.errors import InputError
from stage.features.store.feature_store import FeatureStore
from stage.features.store.film_record import is_same_film
from stage.types import Clip, Progress, Question
from stage.wording import counted

UNREADABLE = "features that can't be used"


def open_store(folder: Path, issues: Issues) -> FeatureStore | None:
    """The features of a data folder. None if there are none, or they can't be read; that is reported."""
    path = features_of(folder)
    if path is None:
        advice = f"compute them with `stage features all {folder}`"
        issues.add("data folders without features", str(folder), advice)
        return None
    try:
        return FeatureStore.open(path)
    except InputError as error:
        issues.add(UNREADABLE, str(error), error=True)
        return None


def check_features(
    folder: Path,
    store: FeatureStore,
    questions: Sequence[Question],
    clips: Mapping[str, Clip],
    films: Mapping[str, Path],
    issues: Issues,
    progress: Progress,
) -> None:
    """Report features that are missing, can't be read or are of another film. All features are read.

    clips: all whose length is known; films: clip -> its film, where there is one.
    """
    by_clip: dict[str, list[Question]] = {}
    for question in questions:
        if question.clip in clips:
            by_clip.setdefault(question.clip, []).append(question)
    try:
        store.check_digests(())  # of word vectors
    except InputError as error:
        issues.add(UNREADABLE, str(error), error=True)
    without_record = 0
    for done, (name, about) in enumerate(sorted(by_clip.items())):
        progress(done, len(by_clip), name)
        if not store.has_clip(name):
            issues.add("clips without regions", f"{name} in {store.folder}", _again(folder), error=True)
        else:
            _check_regions(folder, store, clips[name], about, issues)
            without_record += _check_film(folder, store, name, films.get(name), issues)
        _check_words(folder, store, clips[name], about, issues)
    try:
        store.check_digests(())
    except InputError as error:
        issues.add(UNREADABLE, str(error), error=True)
    if without_record:
        issues.add(
            "features that don't record their films",
            f"{counted(without_record, 'clip')} in {store.folder}",
            f"if a film was replaced since, remove {store.folder} and run `stage features all {folder}`",
        )


def _check_regions(
    folder: Path, store: FeatureStore, clip: Clip, about: Iterable[Question], issues: Issues
) -> None:
    last = LAST_FRAME if is_released(store) else None
    needed = {frame for question in about for frame in frames_of_question(question, clip.frame_count, last)}
    try:
        stored = store.clip(clip.name)
        if missing := store.missing(clip.name, sorted(needed)):
            share = f"{len(missing):,} of {counted(len(needed), 'frame')}, first: {missing[0]}"
            issues.add(
                "clips of which frames have no regions",
                f"{clip.name} in {store.folder}: {share}",
                _again(folder),
                error=True,
            )
        stored.check_digest()
        stored.at(sorted(stored))
    except InputError as error:
        issues.add(UNREADABLE, str(error), error=True)


def _check_film(folder: Path, store: FeatureStore, name: str, film: Path | None, issues: Issues) -> bool:
    """Report regions of another film; whether they don't record theirs though there is one."""
    if film is None:
        return False
    try:
        record = store.film(name)
        if record is None:
            return True
        if not is_same_film(film, record):
            location = f"{name} in {store.folder}: {film} has changed"
            issues.add("features of another film", location, _again(folder), error=True)
    except InputError as error:
        issues.add(UNREADABLE, str(error), error=True)
    return False


def _check_words(
    folder: Path, store: FeatureStore, clip: Clip, about: Iterable[Question], issues: Issues
) -> None:
    """Report each question, and a clip's sentences, of which word vectors are missing or can't be read."""
    kind = "questions and subtitles whose word vectors can't be used"
    for question in about:
        try:
            store.hypotheses(question)
        except InputError as error:
            issues.add(
                kind, f"question {question.qid} about {clip.name}: {error}", _again(folder), error=True
            )
    try:
        store.sentences(clip)
    except InputError as error:
        issues.add(kind, f"subtitles of {clip.name}: {error}", _again(folder), error=True)


def _again(folder: Path) -> str:
    return f"run `stage features all {folder}`"
