"""Scores on the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from samples.predictions import question
from stage.metrics import evaluate, print_scores


def test_missing_scores_are_shown_as_a_dash() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    print_scores(evaluate([], [question(1)]), console)
    assert "│       - │" in console.export_text()
