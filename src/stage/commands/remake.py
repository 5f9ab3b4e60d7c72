"""`stage remake`: the packaged models from nothing."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

SHOWN_SCORES = ("qa_accuracy", "temporal_miou", "answer_span_accuracy", "grounding_map")
CONFIG = Path("configs/sitcom.yaml")
VARIANTS = {
    "full": [],
    "video": ["model.streams=video"],
    "subtitles": ["model.streams=subtitles", "training.attention_weight=0"],
    "none": ["model.streams=none", "training.attention_weight=0", "training.span_weight=0"],
}
"""Name of a run -> what it changes in the configuration."""


def remake(
    data: Annotated[Path, typer.Argument(help="Folder for episodes and features.")] = Path("data/sitcom"),
    runs: Annotated[
        Path,
        typer.Argument(help="Folder for checkpoints and models, below a folder of the sitcom's version."),
    ] = Path("runs/sitcom"),
) -> None:
    """Make the packaged models anew: episodes, detector, features, STAGE and its variants, a table of scores.

    Run it in a checkout. Every step skips what it finds done, so a stopped run goes on.
    """
    from stage.commands.compare import compare
    from stage.commands.features import make_all
    from stage.features.regions.packaged import ASSETS, WEIGHTS
    from stage.inference.model_folder import CARD, PACKAGED
    from stage.io import write_text
    from stage.runtime.hardware import usable_cores
    from stage.sitcom.benchmark.splits import SEED, SPLITS, VERSION, publish
    from stage.sitcom.episodes import write_sitcom
    from stage.training.config import load_config
    from stage.training.detector import train_detector
    from stage.training.loop import train

    runs = runs / f"version-{VERSION}"  # what is found done must have learnt from these episodes
    places = [f"data.train={data / 'train'}", f"data.val={data / 'val'}"]
    configs = {
        name: load_config(CONFIG, [*places, f"output={runs / name}", *changes])
        for name, changes in VARIANTS.items()
    }
    for split, size in SPLITS.items():
        write_sitcom(data / split, split, size.episodes, SEED, usable_cores(), size.questions)
    publish(data)
    if not (ASSETS / WEIGHTS).exists():
        train_detector(ASSETS)
    make_all([data / split for split in SPLITS])
    for name, config in configs.items():
        card = config.output / "model" / CARD
        if not card.exists():  # it is written last
            began = time.monotonic()
            train(config)
            write_text(card, _card(name, VARIANTS[name], config.training.seed, time.monotonic() - began))
    compare(data / "test", [str(runs / name / "model") for name in VARIANTS], runs / "scores.json")
    _add_scores(runs)
    shutil.copytree(runs / "full" / "model", PACKAGED / "sitcom", dirs_exist_ok=True)


def _add_scores(runs: Path) -> None:
    """Write what the models were measured at into their cards."""
    from stage.inference.model_folder import CARD
    from stage.sitcom.benchmark.splits import SPLITS

    measured = json.loads((runs / "scores.json").read_text())
    episodes = SPLITS["test"].episodes
    for name in VARIANTS:
        folder = runs / name / "model"
        scores = measured[str(folder)]
        shares = {key: scores[key] for key in SHOWN_SCORES if scores[key] is not None}
        line = ", ".join(f"{key} {100 * share:.2f} %" for key, share in shares.items())
        card = (folder / CARD).read_text().partition("- scores")[0]
        (folder / CARD).write_text(f"{card}- scores on {episodes} unseen test episodes: {line}\n")


def _card(name: str, changes: list[str], seed: int, seconds: float) -> str:
    command = " ".join([f"stage train {CONFIG}", *(f"--set {change}" for change in changes)])
    return (
        f"# STAGE on the sitcom ({name})\n\n"
        f"- made by: `make sitcom` (`{command}`)\n"
        f"- seed: {seed}\n"
        f"- time: {seconds / 60:.0f} minutes\n"
    )
