"""A data folder with random features, and runs on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stage.annotation.questions import write_questions
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import FeatureStore
from stage.io import write_json
from stage.training.config import RunConfig, load_config
from stage.types import Box, Question, Regions

TEXT_DIM, REGION_DIM = 12, 10


def write_random_data(folder: Path) -> None:
    """Six questions about two clips, with random features; encoder and detector are called "air"."""
    rng = np.random.default_rng(3)
    store = FeatureStore.create(folder / "features", FeatureAttributes("air", TEXT_DIM, "air", REGION_DIM))
    said, answers = ("Hi there .", "The mug is red ."), ("The red mug over there .", "A hat .", "The car .")
    boxes = {1: (Box(0, 0, 9, 9, "mug"),)}
    asked = [Question(i, f"clip{i % 2}", "What is it ?", answers, i % 3, (0.5, 3.5), boxes) for i in range(6)]
    texts = {*said, *(h for question in asked for h in question.hypotheses)}
    store.put_texts(
        {t: rng.normal(size=(len(t.split()), TEXT_DIM)).astype(np.float32) for t in sorted(texts)}
    )
    corners, scores = np.array([[0, 0, 9, 9], [5, 5, 20, 20]], np.float32), np.ones(2, np.float32)
    for clip in ("clip0", "clip1"):
        features = rng.normal(size=(4, 2, REGION_DIM)).astype(np.float32)
        frames = zip(range(1, 25, 6), features, strict=True)
        store.put_clip(clip, {frame: Regions(corners, scores, found) for frame, found in frames})
    write_questions(folder / "questions.json", asked)
    spoken = {"sub_text": " <eos> ".join(said), "sub_time": [0.5, 4.0]}
    write_json(folder / "subtitles.json", {"clip0": spoken, "clip1": spoken})
    write_json(folder / "frames.json", {"clip0": 24, "clip1": 24})
    (folder / "run.yaml").write_text(
        f"data: {{train: {folder}, val: {folder}, workers: 0}}\noutput: {folder}/unused\n"
        "model: {hidden: 8}\ntraining: {epochs: 1, batch_size: 3}\n"
    )


def random_run(data: Path, out: Path, *overrides: str, model: str = "hidden: 8") -> RunConfig:
    """The configuration of a short run on `data`."""
    out.mkdir(exist_ok=True)
    (out / "run.yaml").write_text(
        f"data: {{train: {data}, val: {data}, workers: 0}}\noutput: {out}\n"
        f"model: {{{model}}}\ntraining: {{epochs: 1, batch_size: 3}}\n"
    )
    return load_config(out / "run.yaml", overrides)
