"""`stage errors`: error analysis of a prediction file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from stage.experiments.error_analysis import AnalysedAnswer, Outcome


def errors(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="A prediction file (.json or .json.gz).")
    ],
    annotation: Annotated[
        Path, typer.Argument(metavar="ANNOTATION", help="The questions with ground truth, in TVQA+'s format.")
    ],
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            help="Vocabulary (word2idx) of the prediction file; by default word2idx.json next to it. Without one, "
            "boxes are left out."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for errors.json, which lists every question, and for pages.")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Examples to show of each outcome.")] = 3,
    data: Annotated[
        Path | None, typer.Option(help="A data folder with films: also write evidence pages of the examples.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="The model that made the predictions, for the evidence pages.")
    ] = "sitcom",
) -> None:
    """Group answers by whether answer and moment are right.

    Prints the four outcomes by question type and by link word, with examples.
    """
    from stage.annotation.predictions import read_predictions
    from stage.annotation.questions import read_questions
    from stage.annotation.vocabulary import VOCABULARY_FILE, vocabulary_of
    from stage.errors import InputError
    from stage.experiments.error_analysis import Outcome, analyse_answers, to_json
    from stage.experiments.error_analysis import examples as examples_of
    from stage.io import write_json

    if data and not out:
        raise InputError("--data: evidence pages need a folder; give one with --out")
    has_vocabulary = vocabulary or (predictions.parent / VOCABULARY_FILE).exists()
    words = vocabulary_of(predictions, vocabulary) if has_vocabulary else None
    answers = analyse_answers(read_predictions(predictions), read_questions(annotation), words)
    if not answers:
        raise InputError(f"{annotation}: no predicted question has a right answer and a span to compare with")
    selected = {outcome: examples_of(answers, outcome, examples) for outcome in Outcome}
    console = Console(highlight=False, markup=False)
    console.print(_counts(answers))
    for outcome, shown in selected.items():
        _print_examples(outcome, shown, console)
    if out:
        write_json(out / "errors.json", to_json(answers))
        print(f"{out / 'errors.json'}: every question with its outcome")
    if out and data:
        _write_pages(selected, data, model, out)


def _counts(answers: Sequence[AnalysedAnswer]) -> Table:
    from stage.experiments.error_analysis import Outcome, counts_by_link, counts_by_type
    from stage.wording import counted

    table = Table(title=f"{counted(len(answers), 'question')}, in % of each row", title_justify="left")
    table.add_column("type, link")
    for outcome in Outcome:
        table.add_column(outcome.value, justify="right")
    for rows in (counts_by_type(answers), counts_by_link(answers)):
        for name, counts in rows.items():
            total = sum(counts.values())
            table.add_row(name, *(f"{n:,} ({100 * n / total:.1f} %)" for n in counts.values()))
        table.add_section()
    recalls = [[a.box_recall for a in answers if a.outcome is outcome] for outcome in Outcome]
    known = [[recall for recall in of_outcome if recall is not None] for of_outcome in recalls]
    if any(known):
        table.add_row("box recall", *(f"{100 * fmean(k):.1f} %" if k else "-" for k in known))
    return table


def _print_examples(outcome: Outcome, answers: Sequence[AnalysedAnswer], console: Console) -> None:
    if answers:
        console.print(f"\n{outcome.value}, examples:", style="bold")
    for answer in answers:
        content = answer.to_json()
        true = content["true_span"]
        console.print(f"  {content['qid']} ({content['clip']}): {content['question']}", soft_wrap=True)
        console.print(
            f"    predicted: {content['chosen']} ({answer.span[0]:.1f} to {answer.span[1]:.1f} s)   "
            f"right: {content['right']} ({true[0]:.1f} to {true[1]:.1f} s)",
            soft_wrap=True,
        )


def _write_pages(
    selected: Mapping[Outcome, Sequence[AnalysedAnswer]], data: Path, model: str, out: Path
) -> None:
    from stage.commands.progress import progress_bar
    from stage.experiments.error_pages import write_pages

    with progress_bar("Processing films") as progress:
        paths, notes = write_pages(selected, data, model, out, progress)
    for line in [*notes, *(f"evidence page: {path}" for path in paths)]:
        print(line)
