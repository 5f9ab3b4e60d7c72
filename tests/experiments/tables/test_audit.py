"""Verdicts on the paper's claims."""

from __future__ import annotations

import pytest

from samples.runs import RESULTS
from stage.experiments.tables.audit import FAILS, GIVEN_SPAN, HOLDS, UNKNOWN, Claim, audit
from stage.experiments.tables.paper import MAP, MIOU, QA


@pytest.mark.parametrize(
    ("claim", "verdict", "reason"),
    [
        (Claim("", QA, "stage", "backbone"), HOLDS, "71.00 against 60.00, +11.00 points; beyond the spread"),
        (Claim("", QA, "backbone", "stage"), FAILS, "-11.00 points; beyond"),
        (Claim("", QA, "stage", "two_stream"), FAILS, "one seed, no spread"),
        (Claim("", QA, "stage", "two_stream", clearly=True), UNKNOWN, "one seed, no spread"),
        (Claim("", QA, "stage", "backbone", points=10.5, clearly=True), FAILS, "within the spread of seeds, 1.15"),
        (Claim("", QA, "stage", "backbone", points=15), FAILS, "+11.00 points; beyond"),
        (Claim("", MIOU, "stage", "backbone", factor=2), HOLDS, "3.00 times"),
        (Claim("", MAP, "stage", "backbone", factor=2), UNKNOWN, "rows missing: backbone"),
        (Claim("", QA, 30, "backbone"), FAILS, "30.00 against 60.00"),
        (Claim("", MIOU, "stage", 60.0), HOLDS, "60.00 against 60.00"),
        (Claim("", QA, GIVEN_SPAN, "stage"), HOLDS, "90.00 against 71.00"),
        (Claim("", QA, "pamn", "multi_task"), UNKNOWN, "rows missing: pamn and multi_task"),
    ],
)  # fmt: skip
def test_a_claim_is_judged_by_the_difference_and_its_standard_error(
    claim: Claim, verdict: str, reason: str
) -> None:
    (found,) = audit([claim], RESULTS)
    assert found.verdict == verdict
    assert reason in found.reason
