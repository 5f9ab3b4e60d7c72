"""`stage remake`: rebuild the packaged models from scratch."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Annotated, Any

import typer

SHOWN_SCORES = ("qa_accuracy", "temporal_miou", "answer_span_accuracy", "grounding_map")
CONFIG = Path("configs/sitcom.yaml")
VARIANTS = {
    "full": [],
    "video": ["model.streams=video"],
    "subtitles": ["model.streams=subtitles", "training.attention_weight=0"],
    "none": ["model.streams=none", "training.attention_weight=0", "training.span_weight=0"],
}
"""Name of a run -> its overrides of the configuration."""


def remake(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder for episodes and features.")] = Path(
        "data/sitcom"
    ),
    runs: Annotated[
        Path,
        typer.Argument(
            metavar="RUNS",
            help="Folder for checkpoints and models; each version of the sitcom has a subfolder.",
        ),
    ] = Path("runs/sitcom"),
) -> None:
    """Rebuild the packaged models from scratch.

    Draws the episodes, trains the detector, extracts features, trains STAGE and
    its variants, and prints a table of their scores. To be run in a source
    checkout. Finished steps are skipped, so an interrupted run is resumed.
    """
    from stage.commands.compare import compare
    from stage.commands.features import make_all
    from stage.commands.progress import progress_bar
    from stage.errors import InputError
    from stage.features.regions.packaged import ASSETS, WEIGHTS
    from stage.inference.model_folder import CARD, PACKAGED
    from stage.inference.track_record import RECORDS
    from stage.io import write_json, write_text, writing_folder
    from stage.runtime.hardware import usable_cores
    from stage.sitcom.benchmark.splits import SEED, SPLITS, VERSION, publish
    from stage.sitcom.episodes import write_sitcom
    from stage.training.config import load_config
    from stage.training.detector import train_detector
    from stage.training.loop import train

    if not CONFIG.exists():
        raise InputError(f"{CONFIG}: is missing here; run `stage remake` in a source checkout")
    runs = runs / f"version-{VERSION}"  # models trained on other episodes must not be reused
    paths = [f"data.train={data / 'train'}", f"data.val={data / 'val'}"]
    configs = {
        name: load_config(CONFIG, [*paths, f"output={runs / name}", *overrides])
        for name, overrides in VARIANTS.items()
    }
    for split, size in SPLITS.items():
        with progress_bar(f"Drawing episodes of {split}") as progress:
            write_sitcom(data / split, split, size.episodes, SEED, usable_cores(), size.questions, progress)
    publish(data)
    if not (ASSETS / WEIGHTS).exists():
        with progress_bar("Training the detector") as progress:
            train_detector(ASSETS, progress=progress)
    make_all([data / split for split in SPLITS])
    for name, config in configs.items():
        card = config.output / "model" / CARD
        if not card.exists():  # it is written last
            start = time.monotonic()
            with progress_bar(f"Training {name}") as progress:
                train(config, progress=progress)
            write_text(card, _card(name, VARIANTS[name], config.training.seed, time.monotonic() - start))
    compare(data / "test", [str(runs / name / "model") for name in VARIANTS], runs / "scores.json")
    _add_scores(runs)
    records = _records(runs / "full" / "model", runs / "scores.json", data)
    with writing_folder(PACKAGED / "sitcom") as partial:
        shutil.copytree(runs / "full" / "model", partial, dirs_exist_ok=True)
        write_json(partial / RECORDS, records)


def _records(model: Path, scores: Path, data: Path) -> dict[str, Any]:
    """The model's track record: its test scores, and the temperature that fits the validation split.

    How it does on other films is measured apart, and kept as it is.
    """
    from stage.data.layouts import open_questions
    from stage.inference.model_folder import PACKAGED, load_model
    from stage.inference.score import predict_all
    from stage.inference.track_record import Records, StoredRecord, fitted_temperature, read_records

    trained, of_test = load_model(model), json.loads(scores.read_text("utf-8"))[str(model)]
    questions = open_questions(data / "val", trained.limits)
    answers = {question.qid: question.answer_index for question in questions.questions}
    predictions = [p for p in predict_all(trained, questions) if answers[p.qid] is not None]
    own = StoredRecord(
        kind="drawn episodes of the sitcom",
        questions=len(open_questions(data / "test", trained.limits)),
        right=of_test["qa_accuracy"],
        chance=1 / len(questions.questions[0].answers),
        span_iou=of_test["temporal_miou"],
        temperature=fitted_temperature(
            [p.probabilities for p in predictions], [answers[p.qid] or 0 for p in predictions]
        ),
    )
    before = read_records(PACKAGED / "sitcom")
    return Records(own=own, other=before.other if before else None).model_dump()


def _add_scores(runs: Path) -> None:
    """Add the models' test scores to their cards."""
    from stage.inference.model_folder import CARD
    from stage.io import write_text
    from stage.sitcom.benchmark.splits import SPLITS
    from stage.wording import counted

    scores_by_model = json.loads((runs / "scores.json").read_text("utf-8"))
    episodes = counted(SPLITS["test"].episodes, "unseen test episode")
    for name in VARIANTS:
        folder = runs / name / "model"
        scores = scores_by_model[str(folder)]
        shares = {key: scores[key] for key in SHOWN_SCORES if scores[key] is not None}
        line = ", ".join(f"{key} {100 * share:.2f} %" for key, share in shares.items())
        card = (folder / CARD).read_text("utf-8").partition("- scores")[0]
        write_text(folder / CARD, f"{card}- scores on {episodes}: {line}\n")


def _card(name: str, overrides: list[str], seed: int, seconds: float) -> str:
    command = " ".join([f"stage train {CONFIG}", *(f"--set {override}" for override in overrides)])
    return (
        f"# STAGE on the sitcom ({name})\n\n"
        f"- made by: `make sitcom` (`{command}`)\n"
        f"- seed: {seed}\n"
        f"- time: {seconds / 60:.0f} minutes\n"
    )
