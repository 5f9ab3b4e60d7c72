"""Who answered and how far to trust it, in words"""

from __future__ import annotations

import math

from stage.types import AnsweredBy, TrackRecord
from stage.wording import percentage

UNMEASURED = "it was never measured on films of this kind, so how far to trust it is unknown"
STANDARD_ERRORS = 1.64
"""How far above luck a record must lie, in standard errors of luck itself, to be told from it (one-sided, 5 %)."""
LEAST, MOST = 0.0005, 0.9995
"""Probabilities below and above are not printed as numbers: rounded they would be 0 and 100 %, which none is."""


def who_answered(by: AnsweredBy) -> str:
    """One sentence without a full stop: "answered by zero-shot, because ...; on ... it is right on ..."."""
    reason = f", because {by.reason}" if by.reason else ""
    return f"answered by {by.name}{reason}; {UNMEASURED if by.record is None else track_record(by.record)}"


def track_record(record: TrackRecord) -> str:
    """How often an answerer was right, with what luck gives, and of how many questions that is known."""
    right, luck = round(100 * record.right), round(100 * record.chance)
    if right == 100 and record.right < 1:  # one that was ever wrong is not always right
        right = 99
    spans = (
        f", its spans overlap the true ones by {record.span_iou:.2f} (mean IoU)"
        if record.span_iou is not None
        else ""
    )
    error = math.sqrt(record.chance * (1 - record.chance) / max(1, record.questions))
    by_luck = record.right < record.chance + STANDARD_ERRORS * error
    return (
        f"on {record.kind} it is right on {right} of 100 questions ({luck} by luck"
        f"{', from which it can not be told' if by_luck else ''}){spans}; n = {record.questions:,}"
    )


def likelihood(probability: float) -> str:
    """A model's probability of an answer in whole percent; never 0 or 100, as no model is certain."""
    return percentage(min(max(probability, LEAST), MOST))


def fine_likelihood(probability: float) -> str:
    """As `likelihood`, with one decimal: "63.2%", "> 99.9%"."""
    if probability < LEAST:
        return "< 0.1%"
    return "> 99.9%" if probability >= MOST else f"{probability:.1%}"
