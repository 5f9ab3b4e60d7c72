"""Write the tables of scores in README and docs from checked-in results.

python docs/scripts/figures.py            name the pages that are out of date
python docs/scripts/figures.py --write    bring them up to date

A table stands between `<!-- figures: NAME -->` and `<!-- end -->`; NAME is a key of TABLES.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
MODELS = ROOT / "src" / "stage" / "assets" / "models"
CARD = MODELS / "sitcom" / "card.md"
NEEDS = {"sitcom": "nothing", "people": "a labelled detector", "zero-shot": "a labelled detector"}
"""What an answerer needs besides the package."""
BLOCK = re.compile(r"(?<=<!-- figures: )([\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)
SCORES = {
    "QA Acc.": "qa_accuracy",
    "Temp. mIoU": "temporal_miou",
    "ASA": "answer_span_accuracy",
    "Grd. mAP": "grounding_map",
}
"""Heading -> its key in scores.json and in model cards, in the order of the columns."""
MOMENT = {"Temp. mIoU", "ASA"}
"""Scores of the predicted span."""
SYSTEMS = {
    "stage": "STAGE",
    "stage_without_spatial": "without spatial supervision",
    "stage_without_temporal": "without temporal supervision and local features",
    "stage_video": "video only",
    "stage_subtitles": "subtitles only",
    "backbone": "aligned fusion, neither supervision (backbone)",
    "late_fusion_spatial": "late fusion, spatial supervision",
    "late_fusion_cnn": "late fusion, neither supervision",
    "multi_task": "multi-task",
    "two_stream": "two-stream",
    "late_fusion_rnn": "late fusion, RNN encoders",
    "st_vqa": "ST-VQA",
    "pamn": "PAMN",
    "questions_only": "question and answers only",
    "longest": "longest answer",
}
SPANS = {
    "stage",
    "stage_without_spatial",
    "stage_without_temporal",
    "stage_video",
    "stage_subtitles",
    "multi_task",
}
"""Systems whose spans are shown; what the files say of the others' is chance."""


def main() -> int:
    stale = [page for page in pages() if updated(page.read_text("utf-8")) != page.read_text("utf-8")]
    for page in stale:
        if "--write" in sys.argv:
            page.write_text(updated(page.read_text("utf-8")), "utf-8")
        print(page.relative_to(ROOT))
    return int(bool(stale) and "--write" not in sys.argv)


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def updated(text: str) -> str:
    """A page with every table recomputed. Raises KeyError for a table that has no such name."""
    return BLOCK.sub(lambda block: f"{block[1]}{block[2]}{TABLES[block[1]]()}\n", text)


@cache
def runs(folder: str, system: str) -> Sequence[dict[str, Any]]:
    """What the runs of a system were measured at, one of each seed."""
    files = sorted((RESULTS / folder / "runs" / system).glob("seed-*/scores.json"))
    if not files:
        raise FileNotFoundError(f"no runs of {system} in {RESULTS / folder}")
    return [json.loads(file.read_text("utf-8")) for file in files]


def values(folder: str, system: str, heading: str, of: str = "scores") -> list[float]:
    """A score of each seed, in percent; none where the system has no such score."""
    if system not in SPANS and heading in MOMENT:
        return []
    found = [run[of].get(SCORES[heading]) for run in runs(folder, system)]
    return [100 * value for value in found if value is not None]


def shown(of_seeds: Sequence[float]) -> str:
    """Mean and sample standard deviation."""
    if not of_seeds:
        return "-"
    mean = f"{fmean(of_seeds):.1f}"
    return f"{mean} ± {stdev(of_seeds):.1f}" if len(of_seeds) > 1 else mean


def packaged() -> list[str]:
    """The packaged model, by its card."""
    line = next(line for line in CARD.read_text("utf-8").splitlines() if line.startswith("- scores"))
    found = dict(re.findall(r"(\w+) ([\d.]+) %", line))
    return ["**the packaged model `sitcom`**", *(f"{float(found[key]):.1f}" for key in SCORES.values()), "1"]


def row(folder: str, system: str, title: str = "") -> list[str]:
    name = title or SYSTEMS[system]
    cells = [shown(values(folder, system, heading)) for heading in SCORES]
    return [name, *cells, str(len(runs(folder, system)))]


def markdown(headings: Sequence[str], rows: Iterator[list[str]] | Sequence[list[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    rule = ["---", *("---:" for _ in headings[1:])]
    return "\n".join([line(headings), line(rule), *map(line, rows)])


def scores(folder: str, systems: Sequence[str], first: Sequence[list[str]] = ()) -> str:
    return markdown(["", *SCORES, "seeds"], [*first, *(row(folder, system) for system in systems)])


def sitcom() -> str:
    """The sitcom: STAGE with everything, without parts of it, and what needs no training."""
    given = shown(values("sitcom", "stage", "QA Acc.", "scores_given_span"))
    given_span = ["STAGE, given the true span", given, "-", "-", "-", str(len(runs("sitcom", "stage")))]
    systems = [
        "stage_without_spatial",
        "stage_without_temporal",
        "late_fusion_spatial",
        "backbone",
        "late_fusion_cnn",
        "stage_video",
        "stage_subtitles",
        "questions_only",
        "longest",
    ]
    return scores("sitcom", systems, [packaged(), row("sitcom", "stage"), given_span])


def precision() -> str:
    """bfloat16 against float32: means over seeds, and their difference with its standard error."""
    folders = {"bfloat16": "sitcom", "float32": "sitcom_float32"}
    rows = [[name, *row(folder, "stage")[1:]] for name, folder in folders.items()]
    differences = []
    for heading in SCORES:
        half, full = (values(folder, "stage", heading) for folder in folders.values())
        error = sqrt(sum(stdev(of) ** 2 / len(of) for of in (half, full)))
        differences.append(f"{fmean(half) - fmean(full):+.1f} (s.e. {error:.1f})")
    return markdown(["", *SCORES, "seeds"], [*rows, ["difference", *differences, ""]])


def question_types() -> str:
    """Questions of the sitcom's test split by type, and how many of them STAGE answers."""
    kinds = {run["seed"]: run["scores"]["per_question_type"] for run in runs("sitcom", "stage")}
    first = next(iter(kinds.values()))
    rows = []
    for name, of_type in first.items():
        if of_type["count"]:
            answered = [100 * found[name]["qa_accuracy"] for found in kinds.values()]
            rows.append([name, str(of_type["count"]), f"{100 * of_type['share']:.1f} %", shown(answered)])
    return markdown(["type", "questions", "share", "QA Acc. of STAGE"], rows)


def splits() -> str:
    """The published splits of the sitcom."""
    from stage.sitcom.benchmark.splits import SEED, SPLITS

    rows = [
        [f"`{name}`", str(SEED), f"{s.episodes:,}", f"{s.questions:,}", f"{s.episodes * s.questions:,}"]
        for name, s in SPLITS.items()
    ]
    return markdown(["split", "seed", "episodes", "questions per episode", "questions"], rows)


def trust() -> str:
    """How often each answerer was right, on films like those that it was made for and on others."""
    from stage.inference.track_record import read_records
    from stage.zero_shot.answerer import RECORD

    records = [("zero-shot", RECORD)]
    for folder in sorted(MODELS.iterdir(), reverse=True):
        if found := read_records(folder):
            both = (found.own, found.other)
            records += [(folder.name, stored.record) for stored in both if stored is not None]
    rows = []
    for name, record in records:
        spans = "-" if record.span_iou is None else f"{100 * record.span_iou:.0f}"
        shares = [f"{100 * share:.0f}" for share in (record.right, record.chance)]
        rows.append([f"`{name}`", NEEDS[name], record.kind, *shares, spans, f"{record.questions:,}"])
    unknown = ["`vlm:`, `openai:`", "a model, a server", "never measured", *["-"] * 4]
    headings = ["answerer", "needs", "asked about", "right", "luck", "mIoU", "questions"]
    lines = markdown(headings, [*rows, unknown]).splitlines()
    return "\n".join([lines[0], "| --- | --- | --- | ---: | ---: | ---: | ---: |", *lines[2:]])


def whole(folder: str, name: str) -> str:
    """A table as `stage tables` wrote it, without its heading."""
    text = (RESULTS / folder / f"{name}.md").read_text("utf-8").strip()
    return re.sub(r"\A## .*\n+", "", text)


TABLES: dict[str, Callable[[], str]] = {
    "trust": trust,
    "sitcom": sitcom,
    "sitcom-baselines": lambda: scores(
        "sitcom",
        ["stage", "multi_task", "late_fusion_cnn", "two_stream", "late_fusion_rnn", "st_vqa", "pamn"],
    ),
    "sitcom-types": question_types,
    "splits": splits,
    "precision": precision,
    "human": lambda: scores(
        "human",
        [
            "stage",
            "stage_without_spatial",
            "stage_without_temporal",
            "stage_video",
            "stage_subtitles",
            "backbone",
            "late_fusion_cnn",
            "questions_only",
            "longest",
        ],
    ),
    "human-baselines": lambda: scores(
        "human", ["stage", "st_vqa", "two_stream", "late_fusion_rnn", "multi_task", "pamn"]
    ),
    **{
        f"{folder}-{name.removeprefix('table_').replace('_', '-')}": partial(whole, folder, name)
        for folder in ("sitcom", "human")
        for name in ("table_3", "table_4", "table_5", "table_6", "audit", "soundness")
        if (RESULTS / folder / f"{name}.md").is_file()
    },
}

if __name__ == "__main__":
    sys.exit(main())
