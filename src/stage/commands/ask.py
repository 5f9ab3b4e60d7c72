"""`stage ask`: answer a question about a film, with evidence."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from stage.commands import Overwrite
from stage.terminal import PlainConsole, echo
from stage.types import FRAMES_PER_SECOND, Evidence


def ask(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A film: any file with a video track.")],
    question: Annotated[str, typer.Option(help="The question.")],
    answer: Annotated[list[str], typer.Option(help="A candidate answer; repeat the option for each.")],
    subtitles: Annotated[
        Path | None,
        typer.Option(
            help="A .srt, .vtt, .ass or .ssa file; by default the film's own subtitle track, if any."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A model folder, or the name of a packaged model.")] = "sitcom",
    report: Annotated[
        Path | None, typer.Option(help="Also write an evidence page to this file (.html).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print answer and evidence as JSON.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Answer a question about a film, with evidence.

    Prints the probability of each candidate answer, the span of the film that
    shows the predicted one, and the boxes of the people and objects that it
    mentions.
    """
    from stage.commands.progress import progress_bar
    from stage.inference.ask import Answerer, tokenise_question
    from stage.inference.evidence import to_json
    from stage.io import check_output
    from stage.media.film import open_film
    from stage.page import frames_to_show, render, write_page
    from stage.page.render import EVIDENCE_PAGE

    if report:
        check_output(report, EVIDENCE_PAGE, [video, *([subtitles] if subtitles else [])], overwrite)
    tokenise_question(question, answer)  # errors in the input are reported before the model is loaded
    video_and_subtitles = open_film(video, subtitles)
    answerer = Answerer.from_pretrained(model)
    with progress_bar("Processing the film") as progress:
        film = answerer.look_at(video_and_subtitles, progress=progress)
    evidence = film.ask(question, answer)
    # Printed as it was typed: the model reads it tokenised, without dashes and brackets.
    typed = replace(evidence, question=replace(evidence.question, text=question, answers=tuple(answer)))
    if as_json:
        echo(json.dumps(to_json(typed)))
    else:
        _print_evidence(typed)
    if report:  # last, so that a page that can't be written doesn't cost the answer
        images = film.pictures(frames_to_show(evidence))
        write_page(report, render([(evidence, images)], title=film.film.name))
        echo(f"evidence page: {report}", file=sys.stderr if as_json else sys.stdout)


def _print_evidence(evidence: Evidence) -> None:
    console = PlainConsole()
    table = Table(box=None, show_header=False, pad_edge=False)
    for i, text in enumerate(evidence.question.answers):
        predicted = i == evidence.prediction.answer_index
        probability = evidence.prediction.probabilities[i]
        style = "bold" if predicted else "dim"
        table.add_row("→" if predicted else "", text, f"{probability:.1%}", style=style)
    console.print(table)
    start, end = evidence.prediction.span
    console.print(f"shown from {start:.1f} s to {end:.1f} s of {evidence.clip.duration:.1f} s")
    for word in evidence.concepts:
        grounded = [w for m in evidence.moments if m.in_span for w in m.grounding if w.word == word]
        if grounded:
            best = max(grounded, key=lambda words: words.boxes[0].score)
            corners = ", ".join(f"{c:.0f}" for c in best.boxes[0].corners)
            time = best.frame / FRAMES_PER_SECOND
            console.print(f"  {word}: box ({corners}) at {time:.1f} s, score {best.boxes[0].score:.2f}")
    for note in evidence.notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True)
