"""A data folder held against itself: questions, subtitles, lengths, films and features, with all that differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from stage.annotation.checking import check_annotation, released_size
from stage.annotation.clip_checks import check_sentences, suggestion
from stage.annotation.clips import frame_count_entries, frame_count_of, sentences_of, subtitle_entries
from stage.annotation.issues import Issues
from stage.data.examples import Limits
from stage.data.feature_checks import check_features, open_store
from stage.data.films import measure
from stage.data.layouts.folder import (
    EPISODES,
    FRAME_TOLERANCE,
    FRAMES,
    QUESTIONS,
    SUBTITLES,
    is_released,
    open_questions,
    recorded_films,
)
from stage.errors import InputError
from stage.features.films import films_in
from stage.features.store.feature_store import FeatureStore
from stage.types import FRAMES_PER_SECOND, Clip, Progress, Question, Sentence
from stage.wording import counted

T = TypeVar("T")

REACH = 1 / 3
"""The smallest share of their frame folders that labels and subtitles of all clips reach together without a doubt."""


@dataclass
class _Contents:
    """What a data folder says about its clips."""

    counts: dict[str, int] = field(default_factory=dict)
    """Clip -> its frame count in frames.json."""
    sentences: dict[str, tuple[Sentence, ...]] = field(default_factory=dict)
    """Clip -> its sentences in subtitles.json."""
    films: dict[str, Path] = field(default_factory=dict)
    measured: dict[str, Clip] = field(default_factory=dict)
    """Clip -> its film's true length and size."""

    def clips(self) -> dict[str, Clip]:
        """All clips whose length is known, with their sentences. Lengths are the film's where there is one."""
        known = {name: Clip(name, count) for name, count in self.counts.items()} | self.measured
        return {
            name: replace(clip, sentences=self.sentences.get(name, ()))
            for name, clip in sorted(known.items())
        }

    def clips_as_read(self) -> dict[str, Clip]:
        """The clips of frames.json, as long as they are read: not beyond frames.json, nor beyond the film."""
        return {
            name: replace(clip, frame_count=min(clip.frame_count, self.counts[name]))
            for name, clip in self.clips().items()
            if name in self.counts
        }


def check_folder(folder: Path, progress: Progress) -> tuple[list[Question], Issues]:
    """The readable questions of a data folder, and all issues of its files, films and features.

    Every film is opened, and all features are read. Raises InputError only if questions.json is no list of questions.
    """
    issues = Issues()
    contents = _read(folder, issues)
    _measure(contents, issues, progress)
    store = open_store(folder, issues)
    clips = contents.clips()
    questions, of_questions = check_annotation(folder / QUESTIONS, _sizes(contents, store).get, clips)
    issues.extend(of_questions)
    _check_names(folder, contents, questions, issues)
    _check_lengths(folder, contents, issues)
    for clip in clips.values():
        check_sentences(clip, folder / SUBTITLES, issues)
    _check_rates(contents, questions, issues)
    if store:
        check_features(folder, store, questions, contents.clips_as_read(), contents.films, issues, progress)
    if store and not issues.errors:
        try:
            open_questions(folder, Limits())
        except InputError as error:
            issues.add("data folders that other commands refuse", str(error), error=True)
    return questions, issues


def _read(folder: Path, issues: Issues) -> _Contents:
    """Read all files about clips. What is missing or can't be read is reported and left out."""
    contents = _Contents(
        _entries(folder / FRAMES, frame_count_entries, frame_count_of, issues),
        _entries(folder / SUBTITLES, subtitle_entries, sentences_of, issues),
    )
    if (folder / EPISODES).is_dir():
        try:
            contents.films = films_in(folder / EPISODES)
        except InputError as error:
            issues.add("folders of films that can't be used", str(error), error=True)
    else:
        issues.add(
            "data folders without films, so that lengths and sizes can't be checked",
            str(folder),
            f"put the films in {folder / EPISODES}, if there are any",
        )
    return contents


def _entries(
    path: Path,
    entries: Callable[[Path], Iterable[tuple[str, Any]]],
    read: Callable[[Path, str, Any], T],
    issues: Issues,
) -> dict[str, T]:
    """Clip -> its entry in a file. Each entry that can't be read is reported."""
    make = f"make it from the films with `stage data make {path.parent}`"
    if not path.is_file():
        issues.add("missing files", str(path), make, error=True)
        return {}
    found = {}
    try:
        for clip, entry in entries(path):
            try:
                found[clip] = read(path, clip, entry)
            except InputError as error:
                issues.add(f"entries of {path.name} that can't be read", str(error), make, error=True)
    except InputError as error:
        issues.add("files that can't be read", str(error), make, error=True)
    return found


def _measure(contents: _Contents, issues: Issues, progress: Progress) -> None:
    """Open every film for its true length and size."""
    for done, (name, path) in enumerate(contents.films.items()):
        progress(done, len(contents.films), name)
        try:
            contents.measured[name], notes = measure(path)
        except InputError as error:
            issues.add("films that can't be read", str(error), error=True)
            continue
        for note in notes:
            issues.add("films with irregularities", f"{name}: {note}")


def _sizes(contents: _Contents, store: FeatureStore | None) -> dict[str, tuple[int, int]]:
    """Clip -> width and height, from its film, or from what its features record of it."""
    if store and is_released(store):
        return {name: released_size(name) for name in contents.counts}
    recorded = recorded_films(store, contents.counts) if store else {}
    return {name: (film.width, film.height) for name, film in recorded.items()} | {
        name: (clip.width, clip.height) for name, clip in contents.measured.items()
    }


def _check_names(folder: Path, contents: _Contents, questions: Sequence[Question], issues: Issues) -> None:
    """Report clips that one part of the folder knows and another doesn't."""
    asked = Counter(question.clip for question in questions)
    first = {question.clip: question.qid for question in reversed(questions)}
    known = contents.counts.keys() | contents.films.keys()
    for name in sorted(asked.keys() - known if known else ()):
        about = f"{counted(asked[name], 'question')}, first: {first[name]}"
        nearest = suggestion(name, known - asked.keys()) or suggestion(name, known)
        issues.add(
            "clips with questions that the folder lacks",
            f"{name}{nearest}: {about} in {folder / QUESTIONS}",
            f"correct vid_name, or put the film in {folder / EPISODES} and run `stage data make {folder}`",
            error=True,
        )
    for name in sorted(contents.films.keys() - contents.counts.keys() if contents.counts else ()):
        issues.add(
            f"films that {FRAMES} lacks",
            f"{name}{suggestion(name, contents.counts.keys() - contents.films.keys())}",
            f"add them with `stage data make {folder}`",
            error=name in asked,
        )
    for name in sorted(contents.counts.keys() - contents.films.keys() if contents.films else ()):
        issues.add(
            "clips without a film",
            f"{name}{suggestion(name, contents.films.keys() - contents.counts.keys())} in {folder / FRAMES}",
            f"put the film in {folder / EPISODES}, named as the clip",
            error=name in asked,
        )
    for name in sorted(known - asked.keys()):
        issues.add("clips without questions", name)
    if not contents.sentences:
        return
    silent = sorted(known & asked.keys() - contents.sentences.keys())
    for name in silent:
        issues.add(f"clips that {SUBTITLES} lacks, which are read without subtitles", name)
    for name in sorted(contents.sentences.keys() - known):
        issues.add(
            "subtitles of unknown clips",
            f"{name}{suggestion(name, silent or known)} in {folder / SUBTITLES}",
            f"correct the clip's name, or make the file with `stage data make {folder} --overwrite`",
            error=bool(silent),
        )


def _check_lengths(folder: Path, contents: _Contents, issues: Issues) -> None:
    """Report frame counts that are not the film's: each that matters, and how many differ by up to a second."""
    make = f"make the file again with `stage data make {folder} --overwrite`"
    near = []
    for name in sorted(contents.counts.keys() & contents.measured.keys()):
        count, true = contents.counts[name], contents.measured[name].frame_count
        film = f"the film has {true:,} ({true / FRAMES_PER_SECOND:.1f} s)"
        if abs(count - true) > FRAME_TOLERANCE:
            location = f"{name} in {folder / FRAMES}: {count:,}, but {film}"
            issues.add("frame counts that are not the film's", location, make, error=True)
        elif count != true:
            near.append(f"{name} has {count:,}, {film}")
    if near:
        location = f"{counted(len(near), 'clip')} in {folder / FRAMES}, first: {near[0]}"
        issues.add(
            "frame counts that differ from the film's by a second or less, of which the shorter is used",
            location,
        )


def _check_rates(contents: _Contents, questions: Iterable[Question], issues: Issues) -> None:
    """Report frame folders of whose frames labels and subtitles reach few: there may be too many images a second."""
    reach: Counter[str] = Counter()
    for clip, time in _times(contents.sentences, questions):
        reach[clip] = max(reach[clip], time)
    clips = [
        clip
        for name, clip in contents.measured.items()
        if contents.films[name].is_dir() and 0 < reach[name] <= clip.duration
    ]
    reached, length = sum(reach[clip.name] for clip in clips), sum(clip.duration for clip in clips)
    if reached < REACH * length:
        issues.add(
            "frame folders with more images than labels and subtitles reach",
            f"{counted(len(clips), 'clip')} (first: {clips[0].name}) of {length:.0f} s together at three images a "
            f"second, of which {reached:.0f} s are reached",
            "take three images a second; these may be 25",
        )


def _times(
    sentences: Mapping[str, Sequence[Sentence]], questions: Iterable[Question]
) -> Iterable[tuple[str, int]]:
    """(clip, second) of the ends of all sentences, spans and annotations."""
    for clip, of_clip in sentences.items():
        yield from ((clip, int(sentence.end)) for sentence in of_clip)
    for question in questions:
        if question.span:
            yield question.clip, int(question.span[1])
        if question.boxes:
            yield question.clip, max(question.boxes) // FRAMES_PER_SECOND
