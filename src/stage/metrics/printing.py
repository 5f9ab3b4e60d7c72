"""Print scores as tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from stage.metrics.scores import Scores
from stage.terminal import PlainConsole
from stage.wording import counted

WEAKEST_CLASSES = 10


def print_scores(scores: Scores, console: Console | None = None) -> None:
    """Print the overall scores, those by question type, and the words with the lowest AP, in percent."""
    console = console or PlainConsole()
    console.print(_overall(scores))
    console.print(_by_type(scores))
    if scores.per_class:
        console.print(_weakest_classes(scores))
    for note in scores.notes:
        console.print(f"note: {note}", style="yellow")


def questions_scored(scored: int, total: int, missing_as_wrong: int) -> str:
    """How many of the annotated questions a score is about, for its heading: "4 of 10 questions", "10 questions"."""
    questions = (
        counted(total, "question") if scored == total else f"{scored:,} of {counted(total, 'question')}"
    )
    if not missing_as_wrong:
        return questions
    verb = "counts" if missing_as_wrong == 1 else "count"
    return f"{questions} ({missing_as_wrong:,} without a prediction {verb} as wrong)"


def _overall(scores: Scores) -> Table:
    table = _table(
        f"{questions_scored(scores.question_count, scores.annotated_count, scores.missing_as_wrong)}, in %"
    )
    for name in ("QA Acc.", "Grd. mAP", "Temp. mIoU", "ASA", "R@0.3", "R@0.5", "R@0.7"):
        table.add_column(name, justify="right")
    shares = (scores.qa_accuracy, scores.grounding_map, scores.temporal_miou, scores.answer_span_accuracy)
    table.add_row(*map(_percent, (*shares, *(scores.recall[t] for t in (0.3, 0.5, 0.7)))))
    return table


def _by_type(scores: Scores) -> Table:
    table = _table("by question type")
    table.add_column("type")
    for name in ("questions", "share", "QA Acc.", "Temp. mIoU", "ASA"):
        table.add_column(name, justify="right")
    for name, of_type in scores.per_question_type.items():
        shares = (of_type.share, of_type.qa_accuracy, of_type.temporal_miou, of_type.answer_span_accuracy)
        table.add_row(name, f"{of_type.count:,}", *map(_percent, shares))
    return table


def _weakest_classes(scores: Scores) -> Table:
    """Of words with equal AP, those with more true boxes come first."""
    ranked = sorted(scores.per_class.items(), key=lambda item: (item[1].ap, -item[1].n_positives, item[0]))
    table = _table(f"weakest {min(WEAKEST_CLASSES, len(ranked))} of {counted(len(ranked), 'word')}")
    table.add_column("word", overflow="fold")
    for name in ("AP", "true boxes", "true pos.", "false pos."):
        table.add_column(name, justify="right")
    for word, score in ranked[:WEAKEST_CLASSES]:
        table.add_row(
            word, _percent(score.ap), *(f"{n:,}" for n in (score.n_positives, score.n_tp, score.n_fp))
        )
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"
