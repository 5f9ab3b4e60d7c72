"""The released folder to ours: float16, the frames and regions that are read, a clip at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from stage.annotation.issues import Issues
from stage.annotation.labels import frames_of_question
from stage.annotation.questions import write_questions
from stage.data.layouts.folder import FEATURES, FRAMES, QUESTIONS, SUBTITLES
from stage.errors import InputError
from stage.features.extraction import chunked
from stage.features.store.feature_store import FeatureStore, question_keys, sentence_key
from stage.io import read_json, write_json
from stage.release.features import ReleasedFeatures, read_usable
from stage.release.files import ReleaseFiles, splits
from stage.types import Array, Clip, Progress, Question, Regions

PACKED = "packed.json"
CLIPS_AT_ONCE = 64
QUESTIONS_AT_ONCE = 512
HALF_PRECISION = 2.0**-10
"""float16 keeps ten bits of a number's fraction."""


def pack_release(root: Path, out: Path, regions_a_frame: int, progress: Progress) -> Issues:
    """Convert all splits below `root` to data folders below `out`, with features shared in `out`/features.

    What is there already is kept, so that a stopped run goes on. Everything that is written is read back and
    compared. Raises InputError if there is nothing to convert, what was written differs, or what is there already
    was packed with another number of regions.
    """
    names = splits(root)
    if not names:
        raise InputError(
            f"{root}: has no questions in the released layout; give the folder of released features"
        )
    source = ReleasedFeatures(ReleaseFiles.find(root))
    _check_packed(out / PACKED, regions_a_frame)
    store = FeatureStore.create(out / FEATURES, source.attributes)
    findings = Issues()
    questions: dict[str, list[Question]] = {}
    for split in names:
        questions[split], found = read_usable(root, split, source)
        findings.extend(found)
    everything = [q for asked in questions.values() for q in asked]
    frames = frames_to_keep(everything, source.clips)
    for done, name in enumerate(frames):
        progress(done, len(frames), name)
        if not store.has_clip(name):
            _pack_clip(source.clips[name], frames[name], regions_a_frame, source, store)
    progress(len(frames), len(frames), "words")
    _pack_sentences(frames, source, store)
    _pack_questions(everything, source, store)
    for split, asked in questions.items():
        _write_split(out / split, asked, source.clips)
    return findings


def frames_to_keep(questions: Iterable[Question], clips: Mapping[str, Clip]) -> dict[str, set[int]]:
    """The numbered frames of each clip that one of its questions is seen through."""
    frames: dict[str, set[int]] = {}
    for question in questions:
        seen = frames_of_question(question, clips[question.clip].frame_count)
        frames.setdefault(question.clip, set()).update(seen)
    return frames


def _pack_clip(
    clip: Clip, frames: set[int], count: int, source: ReleasedFeatures, store: FeatureStore
) -> None:
    released = source.regions(clip, sorted(frames))
    kept = {frame: _first(regions, count) for frame, regions in released.items()}
    for frame, regions in kept.items():
        _check_finite(regions.features, f"{clip.name}, frame {frame}")
    store.put_clip(clip.name, kept)
    stored = store.clip(clip.name)
    try:
        for frame, regions in kept.items():
            _compare(stored[frame].features, regions.features, f"{clip.name}, frame {frame}")
            _compare(stored[frame].boxes, regions.boxes, f"{clip.name}, frame {frame}")
    except InputError:
        store.remove_clip(clip.name)  # or the next run would take it for done
        raise


def _first(regions: Regions, count: int) -> Regions:
    return Regions(
        regions.boxes[:count], regions.scores[:count], regions.features[:count], regions.labels[:count]
    )


def _check_packed(path: Path, regions_a_frame: int) -> None:
    """Note how many regions a frame are packed. Raises InputError if what is there was packed with another number."""
    packed = {"regions": regions_a_frame}
    if path.exists() and (before := read_json(path)) != packed:
        raise InputError(
            f"{path.parent}: was packed with other settings ({before}, not {packed}); choose another place"
        )
    write_json(path, packed)


def _check_finite(released: Array, where: str) -> None:
    if not (np.abs(released) <= np.finfo(np.float16).max).all():
        raise InputError(
            f"{where}: the released features hold what is no number, or too large a one; get the file again"
        )


def _compare(stored: Array, released: Array, where: str) -> None:
    allowed = HALF_PRECISION * np.abs(released) + 1e-6
    if stored.shape != released.shape or not (np.abs(stored - released) <= allowed).all():
        raise InputError(
            f"{where}: what was written differs from the released features; is the disk full or faulty?"
        )


def _pack_sentences(names: Iterable[str], source: ReleasedFeatures, store: FeatureStore) -> None:
    for some in chunked(names, CLIPS_AT_ONCE):
        vectors: dict[str, Array] = {}
        for name in some:
            clip = source.clips[name]
            keys = [sentence_key(name, i) for i in range(len(clip.sentences))]
            if not all(map(store.has_text, keys)):
                vectors |= dict(zip(keys, source.sentences(clip), strict=True))
        _put_words(vectors, store)


def _pack_questions(questions: Iterable[Question], source: ReleasedFeatures, store: FeatureStore) -> None:
    for some in chunked(questions, QUESTIONS_AT_ONCE):
        keys = [key for question in some for key in question_keys(question)]
        _put_words({key: source.words(key) for key in keys if not store.has_text(key)}, store)


def _put_words(vectors: Mapping[str, Array], store: FeatureStore) -> None:
    for key, released in vectors.items():
        _check_finite(released, key)
    written = store.put_texts(vectors)
    try:
        for key, released in vectors.items():
            _compare(store.text(key), released, key)
    except InputError:
        if written:
            written.unlink()
        raise


def _write_split(folder: Path, questions: list[Question], clips: Mapping[str, Clip]) -> None:
    """Questions last: where they are is a data folder."""
    asked = {q.clip: clips[q.clip] for q in questions}
    write_json(folder / FRAMES, {name: clip.frame_count for name, clip in asked.items()})
    subtitles = {
        name: {
            "sub_text": " <eos> ".join(s.text for s in clip.sentences),
            "sub_time": [s.start for s in clip.sentences],
        }
        for name, clip in asked.items()
    }
    write_json(folder / SUBTITLES, subtitles)
    write_questions(folder / QUESTIONS, questions)
