"""Audit: do the paper's claims hold, and are the sitcom's scores plausible?

A difference is beyond the spread of seeds if it is more than two standard errors of the difference:
|m1 - m2| > 2 sqrt(sd1^2 / n1 + sd2^2 / n2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stage.experiments.jobs.runs import Result
from stage.experiments.tables.paper import ASA, MAP, MIOU, QA, Column
from stage.experiments.tables.summary import Cell, cell

STANDARD_ERRORS = 2
HOLDS, FAILS, UNKNOWN = "holds", "doesn't hold", "can't tell"
GIVEN_SPAN = "stage, given the true span"


@dataclass(frozen=True, slots=True)
class Claim:
    """A score of one system is higher than that of another: more > factor * less + points.

    Each side is the name of a system, or a figure in percent, for which equality is enough.
    """

    text: str
    score: Column
    more: str | float
    less: str | float
    factor: float = 1
    points: float = 0
    """Percentage points."""
    clearly: bool = False
    """Holds only if the difference is beyond the spread of seeds."""
    paper: str = ""
    """The paper's figures, in percent."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a claim holds."""

    claim: Claim
    verdict: str
    reason: str
    """The margin, and whether it is beyond the spread of seeds; or what is missing."""

    def __str__(self) -> str:
        paper = f"; the paper: {self.claim.paper}" if self.claim.paper else ""
        return f"{self.claim.text}: {self.verdict} ({self.reason}{paper})"


PAPER_CLAIMS = (
    Claim("aligned fusion beats late fusion, QA", QA, "backbone", "late_fusion_cnn", paper="68.31, 67.25"),
    Claim("temporal supervision lifts mIoU", MIOU, "backbone_temporal", "backbone", paper="30.77, -"),
    Claim("temporal supervision helps QA", QA, "backbone_temporal", "backbone", paper="71.40, 68.31"),
    Claim(
        "spatial supervision more than doubles Grd. mAP", MAP, "backbone_temporal_spatial",
        "backbone_temporal", factor=2, paper="24.10, 10.86",
    ),
    Claim("local features help QA", QA, "stage", "backbone_temporal_spatial", paper="72.56, 71.99"),
    Claim("the true span helps QA", QA, GIVEN_SPAN, "stage", paper="73.28, 72.56"),
    Claim("two streams beat video alone, QA", QA, "stage", "stage_video", paper="74.83, 52.75"),
    Claim("two streams beat subtitles alone, QA", QA, "stage", "stage_subtitles", paper="74.83, 67.99"),
    Claim("STAGE beats the two-stream model, QA", QA, "stage", "two_stream", paper="74.83, 68.13"),
)  # fmt: skip

SITCOM_CLAIMS = (
    Claim("question and answers alone: QA at most 30", QA, 30, "questions_only"),
    Claim("subtitles alone: QA 15 points or more below both", QA, "stage", "stage_subtitles", points=15),
    Claim("video alone: QA 15 points or more below both", QA, "stage", "stage_video", points=15),
    Claim("late fusion clearly below aligned fusion, QA", QA, "backbone", "late_fusion_cnn", clearly=True),
    Claim(
        "late fusion clearly below aligned fusion, both supervised in space, QA",
        QA,
        "stage_without_temporal",
        "late_fusion_spatial",
        clearly=True,
    ),
    Claim("STAGE: QA Acc. at least 90", QA, "stage", 90),
    Claim("STAGE: Temp. mIoU at least 60", MIOU, "stage", 60),
    Claim("STAGE: Grd. mAP at least 60", MAP, "stage", 60),
    Claim("STAGE: ASA at least 65", ASA, "stage", 65),
    Claim("without spatial supervision Grd. mAP halves", MAP, "stage", "stage_without_spatial", factor=2),
    Claim("without temporal supervision mIoU halves", MIOU, "stage", "stage_without_temporal", factor=2),
)


def audit(claims: Sequence[Claim], results: Sequence[Result]) -> list[Verdict]:
    """Judge each claim by the results."""
    return [_judge(claim, results) for claim in claims]


def _judge(claim: Claim, results: Sequence[Result]) -> Verdict:
    more, less = (_measured(side, claim.score, results) for side in (claim.more, claim.less))
    if more is None or less is None:
        missing = [side for side, score in ((claim.more, more), (claim.less, less)) if score is None]
        return Verdict(claim, UNKNOWN, f"rows missing: {' and '.join(map(str, missing))}")
    margin = more.mean - claim.factor * less.mean - claim.points
    error = math.sqrt(_variance(claim.more, more) + claim.factor**2 * _variance(claim.less, less))
    spread = STANDARD_ERRORS * error
    against_figure = not isinstance(claim.more, str) or not isinstance(claim.less, str)
    holds = margin > 0 or (against_figure and margin == 0)
    reason = f"{_amount(claim, more.mean, less.mean)}; {_in_words(margin, spread)}"
    if claim.clearly and math.isnan(spread):
        return Verdict(claim, UNKNOWN, reason)
    if claim.clearly:
        holds = margin > spread
    return Verdict(claim, HOLDS if holds else FAILS, reason)


def _measured(side: str | float, score: Column, results: Sequence[Result]) -> Cell | None:
    if not isinstance(side, str):
        return Cell((side,))
    given_span = side == GIVEN_SPAN
    system = "stage" if given_span else side
    return cell([r for r in results if r.system == system], score, given_span)


def _variance(side: str | float, score: Cell) -> float:
    """The squared standard error of a mean; 0 for a given figure."""
    return score.variance_of_mean if isinstance(side, str) else 0.0


def _amount(claim: Claim, more: float, less: float) -> str:
    if claim.factor != 1 and less:
        return f"{more:.2f} against {less:.2f}, {more / less:.2f} times"
    return f"{more:.2f} against {less:.2f}, {more - less:+.2f} points"


def _in_words(margin: float, spread: float) -> str:
    if math.isnan(spread):
        return "one seed, no spread"
    return f"{'beyond' if abs(margin) > spread else 'within'} the spread of seeds, {spread:.2f}"


def markdown(title: str, verdicts: Sequence[Verdict]) -> str:
    """The verdicts as a Markdown table."""
    lines = [f"| {v.claim.text} | {v.verdict} | {v.reason} | {v.claim.paper or '-'} |" for v in verdicts]
    head = ["| claim | verdict | measured | the paper |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {title}", "", *head, *lines, ""])
