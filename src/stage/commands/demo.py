"""`stage demo`: questions about an episode that no model has seen, answered with evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEMO_SEED = 77
"""Of no episode that is trained, validated or tested on."""


def demo(
    out: Annotated[Path, typer.Argument(help="Folder for episodes and the page.")] = Path("demo"),
    episodes: Annotated[int, typer.Option(min=1, help="How many unseen episodes.")] = 2,
    questions: Annotated[int, typer.Option(min=1, help="Questions on each.")] = 4,
    model: Annotated[str, typer.Option(help="A model folder, or the name of a packaged model.")] = "sitcom",
) -> None:
    """Draw episodes, ask about them, and write one page with the answers and their evidence."""
    from stage.annotation.questions import read_questions
    from stage.inference.ask import Answerer
    from stage.page import frames_to_show, render, write_page
    from stage.runtime.hardware import usable_cores
    from stage.sitcom.episodes import write_sitcom

    write_sitcom(out, "test", episodes, DEMO_SEED, usable_cores())
    asked = read_questions(out / "questions.json")
    answerer = Answerer.from_pretrained(model)
    entries = []
    right = 0
    for clip in dict.fromkeys(question.clip for question in asked):
        episode = out / "episodes" / clip
        film = answerer.open(episode.with_suffix(".mp4"), episode.with_suffix(".srt"))
        for question in [q for q in asked if q.clip == clip][:questions]:
            evidence = film.ask_question(question)
            entries.append((evidence, film.pictures(frames_to_show(evidence))))
            start, end = evidence.prediction.span
            good = evidence.prediction.answer_index == question.answer_index
            right += good
            mark = "right" if good else "wrong"
            print(f"{clip}: {question.text}\n  {evidence.answer}  ({mark}; shown {start:.1f}-{end:.1f} s)")
    page = out / "evidence.html"
    write_page(page, render(entries, title="Questions about episodes that no model has seen"))
    print(f"\n{right} of {len(entries)} answers are right. The evidence is on this page:\n{page.resolve()}")
