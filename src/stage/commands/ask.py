"""`stage ask`: a question about a film, answered with evidence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from stage.types import FRAMES_PER_SECOND, Evidence


def ask(
    video: Annotated[Path, typer.Argument(help="A film: any file with a picture track.")],
    question: Annotated[str, typer.Option(help="What to ask.")],
    answer: Annotated[list[str], typer.Option(help="A candidate answer; give two or more.")],
    subtitles: Annotated[
        Path | None, typer.Option(help="A .srt, .vtt or .ass file; without one, the film's own track.")
    ] = None,
    model: Annotated[str, typer.Option(help="A model folder, or the name of a packaged model.")] = "sitcom",
    report: Annotated[Path | None, typer.Option(help="Write the evidence as a page (.html).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Answer a question about a film: the answer, the seconds that show it, and the boxes it speaks of."""
    from stage.commands.progress import progress_bar
    from stage.inference.ask import Answerer, checked
    from stage.inference.evidence import to_json
    from stage.media.film import open_film
    from stage.page import frames_to_show, render, write_page

    checked(question, answer)
    opened = open_film(video, subtitles)  # before the model is loaded: what can't be used is told at once
    answerer = Answerer.from_pretrained(model)
    with progress_bar("Looking at the film") as progress:
        film = answerer.look_at(opened, progress=progress)
    evidence = film.ask(question, answer)
    if as_json:
        print(json.dumps(to_json(evidence)))
    else:
        _show(evidence)
    if report:  # after the answer, which a page that can't be written must not take along
        pictures = film.pictures(frames_to_show(evidence))
        write_page(report, render([(evidence, pictures)], title=film.film.name))
        print(f"evidence page: {report}", file=sys.stderr if as_json else sys.stdout)


def _show(evidence: Evidence) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    table = Table(box=None, show_header=False, pad_edge=False)
    for i, text in enumerate(evidence.question.answers):
        chosen = i == evidence.prediction.answer_index
        share = evidence.prediction.probabilities[i]
        table.add_row("→" if chosen else "", text, f"{share:.1%}", style="bold" if chosen else "dim")
    console.print(table)
    start, end = evidence.prediction.span
    console.print(f"shown from {start:.1f} s to {end:.1f} s of {evidence.clip.duration:.1f} s")
    for word in evidence.concepts:
        seen = [w for m in evidence.moments if start <= m.time <= end for w in m.grounding if w.word == word]
        if seen:
            best = max(seen, key=lambda w: w.boxes[0].score)
            corners = ", ".join(f"{c:.0f}" for c in best.boxes[0].corners)
            time = best.frame / FRAMES_PER_SECOND
            console.print(f"  {word}: box ({corners}) at {time:.1f} s, score {best.boxes[0].score:.2f}")
    for note in evidence.notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True)
