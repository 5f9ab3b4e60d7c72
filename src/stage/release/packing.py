"""Packing released features into data folders: float16, only what is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from stage.annotation.issues import Issues
from stage.annotation.labels import LAST_FRAME, frames_of_question
from stage.annotation.questions import write_questions
from stage.data.layouts import folder
from stage.data.layouts.folder import FEATURES, FRAMES, QUESTIONS, SUBTITLES
from stage.errors import InputError
from stage.features.extraction import chunked
from stage.features.store.feature_store import FeatureStore, question_keys, sentence_key
from stage.io import read_json, write_json
from stage.release.features import ReleasedFeatures, read_split
from stage.release.files import ReleaseFiles, splits
from stage.types import Array, Clip, Progress, Question, Regions

SETTINGS = "packed.json"
"""The settings that a folder was packed with."""
CLIPS_PER_CHUNK = 64
QUESTIONS_PER_CHUNK = 512
FLOAT16_PRECISION = 2.0**-10
"""Relative: float16 has ten bits of mantissa."""


def pack_release(root: Path, out: Path, regions_per_frame: int, progress: Progress) -> Issues:
    """Convert all splits in `root` to data folders in `out`, with a common feature store in `out`/features.

    Features that `out` already contains are kept, so that an interrupted run resumes. Everything written is read
    back and compared. Returns the issues of the released data. Raises InputError if there is nothing to convert,
    what was read back differs, or `out` was packed with another number of regions.
    """
    names = splits(root)
    if not names:
        raise InputError(
            f"{root}: has no questions in the released layout; give the folder of released features"
        )
    source = ReleasedFeatures(ReleaseFiles.find(root))
    for split in names if not (out / SETTINGS).exists() else ():
        if folder.matches(out / split):
            raise InputError(f"{out / split}: contains another data set; choose another folder")
    _check_packed(out / SETTINGS, regions_per_frame)
    store = FeatureStore.create(out / FEATURES, source.attributes)
    issues = Issues()
    questions: dict[str, list[Question]] = {}
    for split in names:
        questions[split], split_issues = read_split(root, split, source)
        issues.extend(split_issues)
    all_questions = [q for of_split in questions.values() for q in of_split]
    frames = frames_to_keep(all_questions, source.clips)
    for done, name in enumerate(frames):
        progress(done, len(frames), name)
        if not store.has_clip(name) or store.clip(name).missing(frames[name]):
            _pack_clip(source.clips[name], frames[name], regions_per_frame, source, store)
    progress(len(frames), len(frames), "words")
    _pack_sentences(frames, source, store)
    _pack_questions(all_questions, source, store)
    for split, of_split in questions.items():
        _write_split(out / split, of_split, source.clips)
    return issues


def frames_to_keep(questions: Iterable[Question], clips: Mapping[str, Clip]) -> dict[str, set[int]]:
    """For each clip, the numbered frames that the model reads for any of its questions."""
    frames: dict[str, set[int]] = {}
    for question in questions:
        read = frames_of_question(question, clips[question.clip].frame_count, LAST_FRAME)
        frames.setdefault(question.clip, set()).update(read)
    return frames


def _pack_clip(
    clip: Clip, frames: set[int], count: int, source: ReleasedFeatures, store: FeatureStore
) -> None:
    """Store the `count` best regions of each frame, and compare what was stored."""
    released = source.regions(clip, sorted(frames))
    kept = {frame: _first(regions, count) for frame, regions in released.items()}
    for frame, regions in kept.items():
        check_packable(regions.features, f"{clip.name}, frame {frame}")
    store.put_clip(clip.name, kept)
    stored = store.clip(clip.name)
    try:
        stored.check_digest()
        for frame, regions in kept.items():
            _compare(stored[frame].features, regions.features, f"{clip.name}, frame {frame}")
            _compare(stored[frame].boxes, regions.boxes, f"{clip.name}, frame {frame}")
    except InputError:
        store.remove_clip(clip.name)  # or the next run would consider it packed
        raise


def _first(regions: Regions, count: int) -> Regions:
    return Regions(
        regions.boxes[:count], regions.scores[:count], regions.features[:count], regions.labels[:count]
    )


def _check_packed(path: Path, regions_per_frame: int) -> None:
    """Write the settings. Raises InputError if the folder was packed with others."""
    settings = {"regions": regions_per_frame}
    if path.exists() and (before := read_json(path)) != settings:
        raise InputError(
            f"{path.parent}: was packed with other settings ({before}, not {settings}); choose another folder"
        )
    write_json(path, settings)


def check_packable(released: Array, location: str) -> None:
    """Raises InputError if features can't be stored as float16."""
    if not (np.abs(released) <= np.finfo(np.float16).max).all():
        raise InputError(
            f"{location}: the released features contain NaN or values too large for float16; get the file again"
        )


def _compare(stored: Array, released: Array, location: str) -> None:
    """Raises InputError if arrays differ by more than float16's precision."""
    tolerance = FLOAT16_PRECISION * np.abs(released) + 1e-6
    if stored.shape != released.shape or not (np.abs(stored - released) <= tolerance).all():
        raise InputError(
            f"{location}: what was written differs from the released features; is the disk full or faulty?"
        )


def _pack_sentences(names: Iterable[str], source: ReleasedFeatures, store: FeatureStore) -> None:
    for chunk in chunked(names, CLIPS_PER_CHUNK):
        vectors: dict[str, Array] = {}
        for name in chunk:
            clip = source.clips[name]
            keys = [sentence_key(name, i) for i in range(len(clip.sentences))]
            if not all(map(store.has_text, keys)):
                vectors |= dict(zip(keys, source.sentences(clip), strict=True))
        _put_words(vectors, store)


def _pack_questions(questions: Iterable[Question], source: ReleasedFeatures, store: FeatureStore) -> None:
    for chunk in chunked(questions, QUESTIONS_PER_CHUNK):
        keys = [key for question in chunk for key in question_keys(question)]
        _put_words({key: source.words(key) for key in keys if not store.has_text(key)}, store)


def _put_words(vectors: Mapping[str, Array], store: FeatureStore) -> None:
    """Store word vectors, and compare what was stored."""
    for key, released in vectors.items():
        check_packable(released, key)
    written = store.put_texts(vectors)
    try:
        for key, released in vectors.items():
            _compare(store.text(key), released, key)
    except InputError:
        if written:
            written.unlink()
        raise


def _write_split(folder: Path, questions: list[Question], clips: Mapping[str, Clip]) -> None:
    """Write the annotation of a data folder. Questions come last: they make it one."""
    used = {q.clip: clips[q.clip] for q in questions}
    write_json(folder / FRAMES, {name: clip.frame_count for name, clip in used.items()})
    subtitles = {
        name: {
            "sub_text": " <eos> ".join(s.text for s in clip.sentences),
            "sub_time": [s.start for s in clip.sentences],
        }
        for name, clip in used.items()
    }
    write_json(folder / SUBTITLES, subtitles)
    write_questions(folder / QUESTIONS, questions)
