"""The packaged models from nothing: episodes, detector, features, training, the table of scores.

    python -m stage.sitcom.build data/sitcom runs/sitcom
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from stage.commands.compare import compare
from stage.commands.features import features
from stage.config import load_config
from stage.features.detector import ASSETS, WEIGHTS
from stage.features.detector_training import train_detector
from stage.sitcom.episodes import write_sitcom
from stage.trained import CARD, PACKAGED
from stage.training import train

EPISODES = {"train": 400, "val": 40, "test": 64}
CONFIG = Path("configs/sitcom.yaml")
VARIANTS = {
    "full": [],
    "video": ["model.streams=video"],
    "subtitles": ["model.streams=subtitles", "training.attention_weight=0"],
    "none": ["model.streams=none", "training.attention_weight=0", "training.span_weight=0"],
}
"""Name of a run -> what it changes in the configuration."""


def build(data: Path, runs: Path) -> None:
    """Every step skips what it finds done, so a stopped build goes on."""
    for split, episodes in EPISODES.items():
        write_sitcom(data / split, split, episodes, workers=os.cpu_count() or 1)
    if not (ASSETS / WEIGHTS).exists():
        train_detector(ASSETS)
    features([data / split for split in EPISODES])
    for name, changes in VARIANTS.items():
        folder = runs / name
        settings = [f"data.train={data / 'train'}", f"data.val={data / 'val'}", f"output={folder}", *changes]
        if not (folder / "model").exists():
            began = time.monotonic()
            train(load_config(CONFIG, settings))
            command = " ".join(f"--set {change}" for change in changes)
            card = (
                f"# STAGE on the sitcom ({name})\n\n"
                f"- made by: `make sitcom`, or after its data: `stage train {CONFIG} {command}`\n"
                f"- seed: {load_config(CONFIG, settings).training.seed}\n"
                f"- time: {(time.monotonic() - began) / 60:.0f} minutes\n"
            )
            (folder / "model" / CARD).write_text(card)
    compare(data / "test", [str(runs / name / "model") for name in VARIANTS], runs / "scores.json")
    packaged = PACKAGED / "sitcom"
    shutil.rmtree(packaged, ignore_errors=True)
    shutil.copytree(runs / "full" / "model", packaged)


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
