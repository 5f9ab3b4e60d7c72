"""`stage errors`: why answers are right or wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from stage.experiments.error_analysis import Case, Cause


def errors(
    predictions: Annotated[Path, typer.Argument(help="A prediction file (.json or .json.gz).")],
    annotation: Annotated[Path, typer.Argument(help="The questions with the truth, in TVQA+'s layout.")],
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            help="word2idx: the words that the file numbers; word2idx.json beside it unless given. Without "
            "one, boxes aren't looked at."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for errors.json, with every question, and pages.")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Questions of each cause to show.")] = 3,
    data: Annotated[
        Path | None, typer.Option(help="A data folder with films: write evidence pages of the examples.")
    ] = None,
    model: Annotated[str, typer.Option(help="The model that predicted, for the pages.")] = "sitcom",
) -> None:
    """Group answers by cause: right or wrong, at the right moment or not; with examples."""
    from stage.annotation.predictions import read_predictions
    from stage.annotation.questions import read_questions
    from stage.annotation.vocabulary import BESIDE, vocabulary_of
    from stage.errors import InputError
    from stage.experiments.error_analysis import Cause, sort_answers, to_json
    from stage.experiments.error_analysis import examples as some
    from stage.io import write_json

    if data and not out:
        raise InputError("--data: evidence pages need a folder; give one with --out")
    known = vocabulary or (predictions.parent / BESIDE).exists()
    words = vocabulary_of(predictions, vocabulary) if known else None
    cases = sort_answers(read_predictions(predictions), read_questions(annotation), words)
    if not cases:
        raise InputError(f"{annotation}: no predicted question has a right answer and a span to compare with")
    chosen = {cause: some(cases, cause, examples) for cause in Cause}
    console = Console(highlight=False, markup=False)
    console.print(_counts(cases))
    for cause, of_cause in chosen.items():
        _show(cause, of_cause, console)
    if out:
        write_json(out / "errors.json", to_json(cases))
        print(f"every question is in {out / 'errors.json'}")
    if out and data:
        _pages(chosen, data, model, out)


def _counts(cases: Sequence[Case]) -> Table:
    from stage.experiments.error_analysis import Cause, counts_by_link, counts_by_type

    table = Table(title=f"{len(cases):,} questions, in % of their row", title_justify="left")
    table.add_column("type, link")
    for cause in Cause:
        table.add_column(cause.value, justify="right")
    for rows in (counts_by_type(cases), counts_by_link(cases)):
        for name, counts in rows.items():
            total = sum(counts.values())
            table.add_row(name, *(f"{n:,} ({100 * n / total:.1f} %)" for n in counts.values()))
        table.add_section()
    found = [[c.boxes_found for c in cases if c.cause is cause] for cause in Cause]
    known = [[share for share in shares if share is not None] for shares in found]
    if any(known):
        table.add_row("boxes found", *(f"{100 * fmean(k):.1f} %" if k else "-" for k in known))
    return table


def _show(cause: Cause, cases: Sequence[Case], console: Console) -> None:
    if cases:
        console.print(f"\n{cause.value}, for example:", style="bold")
    for case in cases:
        said = case.to_json()
        true = said["true_span"]
        console.print(f"  {said['qid']} ({said['clip']}): {said['question']}", soft_wrap=True)
        console.print(
            f"    chosen: {said['chosen']} ({case.span[0]:.1f} to {case.span[1]:.1f} s)   "
            f"right: {said['right']} ({true[0]:.1f} to {true[1]:.1f} s)",
            soft_wrap=True,
        )


def _pages(chosen: Mapping[Cause, Sequence[Case]], data: Path, model: str, out: Path) -> None:
    from stage.commands.progress import progress_bar
    from stage.experiments.error_pages import write_pages

    with progress_bar("Looking at films") as progress:
        paths, notes = write_pages(chosen, data, model, out, progress)
    for line in [*notes, *(f"evidence page: {path}" for path in paths)]:
        print(line)
