"""Answers on the terminal"""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from stage.terminal import PlainConsole
from stage.types import FRAMES_PER_SECOND, Evidence


def print_evidence(
    evidence: Evidence,
    *,
    brief: bool = False,
    without_notes: Sequence[str] = (),
    console: PlainConsole | None = None,
) -> None:
    """Print an answer with its evidence.

    brief: the answer alone, without the other candidates, boxes and who answered. without_notes: notes that were
    printed already.
    """
    from stage.page.answered_by import fine_likelihood, who_answered

    console = console or PlainConsole()
    prediction, (start, end) = evidence.prediction, evidence.prediction.span
    if brief:
        likely = (
            ""
            if evidence.free
            else f" ({fine_likelihood(prediction.probabilities[prediction.answer_index])})"
        )
        console.print(f"  → {evidence.answer}{likely}, shown from {start:.1f} to {end:.1f} s", soft_wrap=True)
    else:
        console.print(_candidates(evidence))
        console.print(f"shown from {start:.1f} s to {end:.1f} s of {evidence.clip.duration:.1f} s")
        _print_boxes(evidence, console)
    if evidence.answered_by and not brief:
        console.print(who_answered(evidence.answered_by), soft_wrap=True)
    for note in evidence.notes:
        if note not in without_notes:
            console.print(f"note: {note}", style="yellow", soft_wrap=True)


def _candidates(evidence: Evidence) -> Table:
    from stage.page.answered_by import fine_likelihood

    table = Table(box=None, show_header=False, pad_edge=False)
    for i, text in enumerate(evidence.question.answers):
        predicted = i == evidence.prediction.answer_index
        likely = "written freely" if evidence.free else fine_likelihood(evidence.prediction.probabilities[i])
        table.add_row("→" if predicted else "", text, likely, style="bold" if predicted else "dim")
    return table


def _print_boxes(evidence: Evidence, console: PlainConsole) -> None:
    """The best box of each word in the frames of the span."""
    for word in evidence.concepts:
        grounded = [
            words
            for moment in evidence.moments
            if moment.in_span
            for words in moment.grounding
            if words.word == word and words.boxes
        ]
        if grounded:
            best = max(grounded, key=lambda words: words.boxes[0].score)
            corners = ", ".join(f"{c:.0f}" for c in best.boxes[0].corners)
            time = best.frame / FRAMES_PER_SECOND
            console.print(f"  {word}: box ({corners}) at {time:.1f} s, score {best.boxes[0].score:.2f}")
