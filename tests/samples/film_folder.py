"""A data folder with two short films, subtitles and, if wanted, random features."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from films import HEIGHT, WIDTH, write_film
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import FeatureStore
from stage.features.store.film_record import record_film
from stage.media.video import open_video
from stage.types import Regions

SECONDS = 8
CLIPS = ("one", "two")
SAID = "1\n00:00:01,000 --> 00:00:03,000\nMia: Hi there!\n\n2\n00:00:04,000 --> 00:00:05,500\nLeo: The mug.\n"
SPOKEN = {"sub_text": "Mia : Hi there ! <eos> Leo : The mug .", "sub_time": [1.0, 4.0], "sub_end": [3.0, 5.5]}
BOX = {"label": "mug", "left": 10, "top": 4, "width": WIDTH - 20, "height": HEIGHT - 8}


def question(qid: int, clip: str, **changes: Any) -> dict[str, Any]:
    """A question that is right for a film of the folder, in TVQA+'s layout."""
    return {
        "qid": qid,
        "vid_name": clip,
        "q": "What is it ?",
        "a0": "A mug .",
        "a1": "A hat .",
        "answer_idx": 0,
        "ts": [1, 5],
        "bbox": {"7": [BOX]},
    } | changes


def write_film_folder(folder: Path) -> None:
    """Films of eight seconds with subtitle files, and a question about each; neither clip files nor features."""
    (folder / "episodes").mkdir(parents=True)
    for clip in CLIPS:
        film = folder / "episodes" / f"{clip}.mp4"
        write_film(film, [Fraction(i, 12) for i in range(12 * SECONDS)], rate=12)
        film.with_suffix(".srt").write_text(SAID)
    write(folder / "questions.json", [question(i, clip) for i, clip in enumerate(CLIPS)])


def write_clip_files(folder: Path) -> None:
    """The clip files of that folder as they should be."""
    write(folder / "frames.json", dict.fromkeys(CLIPS, 3 * SECONDS))
    write(folder / "subtitles.json", dict.fromkeys(CLIPS, SPOKEN))


def write_features(folder: Path) -> FeatureStore:
    """Random features of that folder, which record their films."""
    rng = np.random.default_rng(5)
    store = FeatureStore.create(folder / "features", FeatureAttributes("air", 12, "air", 10))
    texts = ("What is it ? A mug .", "What is it ? A hat .", *SPOKEN["sub_text"].split(" <eos> "))  # type: ignore[attr-defined]
    store.put_texts({t: rng.normal(size=(len(t.split()), 12)).astype(np.float32) for t in texts})
    for clip in CLIPS:
        film = folder / "episodes" / f"{clip}.mp4"
        features = rng.normal(size=(1, 10)).astype(np.float32)
        regions = Regions(np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32), features)
        frames = dict.fromkeys(range(1, 3 * SECONDS + 1, 6), regions)
        store.put_clip(clip, frames, record_film(film, open_video(film)))
    return store


def write_sound_folder(folder: Path) -> Path:
    """That folder with clip files and features: nothing in it is irregular. Returns it."""
    write_film_folder(folder)
    write_clip_files(folder)
    write_features(folder)
    return folder


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))
