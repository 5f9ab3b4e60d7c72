"""`stage demo`: answers with evidence about newly drawn sitcom episodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stage.commands import Overwrite
from stage.commands.asking.options import Detector, ImageText, Model
from stage.terminal import echo

if TYPE_CHECKING:
    from stage.types import Evidence, Image

DEMO_SEED = 77
"""Draws episodes that are in no published split."""


def demo(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for the episodes and the evidence page.")
    ] = Path("demo"),
    episodes: Annotated[int, typer.Option(min=1, help="Episodes to draw.")] = 2,
    questions: Annotated[int, typer.Option(min=1, help="Questions per episode.")] = 4,
    model: Model = "sitcom",
    detector: Detector = None,
    image_text: ImageText = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw sitcom episodes and answer questions about them.

    The episodes are in no training set. Answers and evidence are written to one
    page, OUT/evidence.html.
    """
    from stage.annotation.questions import read_questions
    from stage.commands.progress import progress_bar
    from stage.inference.answerer import Answerer
    from stage.io import check_output
    from stage.page import frames_to_show, render, write_page
    from stage.page.answered_by import who_answered
    from stage.page.render import EVIDENCE_PAGE
    from stage.runtime.hardware import usable_cores
    from stage.sitcom.episodes import write_sitcom
    from stage.wording import counted

    page = out / "evidence.html"
    check_output(page, EVIDENCE_PAGE, overwrite=overwrite)
    answerer = Answerer.from_pretrained(model, detector=detector, image_text=image_text)
    with progress_bar("Drawing episodes") as progress:
        write_sitcom(out, "test", episodes, DEMO_SEED, usable_cores(), progress=progress)
    all_questions = read_questions(out / "questions.json")
    entries: list[tuple[Evidence, Mapping[int, Image]]] = []
    correct = 0
    for clip in dict.fromkeys(question.clip for question in all_questions):
        episode = out / "episodes" / clip
        with progress_bar(f"Processing {clip}") as progress:
            film = answerer.open(episode.with_suffix(".mp4"), episode.with_suffix(".srt"), progress=progress)
        for question in [q for q in all_questions if q.clip == clip][:questions]:
            evidence = film.ask_question(question)
            entries.append((evidence, film.pictures(frames_to_show(evidence))))
            start, end = evidence.prediction.span
            is_correct = evidence.prediction.answer_index == question.answer_index
            correct += is_correct
            verdict = "right" if is_correct else "wrong"
            echo(
                f"{clip}: {question.text}\n  {evidence.answer}  ({verdict}; shown {start:.1f} to {end:.1f} s)"
            )
    write_page(page, render(entries, title="Questions about unseen episodes"))
    for by in dict.fromkeys(evidence.answered_by for evidence, _ in entries if evidence.answered_by):
        echo(f"\n{who_answered(by)}")
    answers = counted(len(entries), "answer")
    echo(
        f"\n{correct} of {answers} {'is' if correct == 1 else 'are'} right. Evidence page:\n{page.resolve()}"
    )
