"""What a data set consists of: Tables 1 and 2, Figures 2 and 3 of the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from stage.annotation.checking import HEIGHT, WIDTH
from stage.annotation.vocabulary import fold
from stage.types import Question

PICTURE_AREA = WIDTH * HEIGHT
SHOWN_CATEGORIES = 60


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts over all questions of a data set."""

    questions: int
    clips: int
    frames: int
    """Annotated pairs of question and frame; a frame with an empty list of boxes is one."""
    boxes: Counter[str]
    """Category (a label, folded) -> its boxes."""
    box_areas: tuple[float, ...]
    """Of every box, as a share of the picture."""
    span_seconds: tuple[float, ...]
    question_words: tuple[int, ...]
    answer_words: tuple[int, ...]
    """Of the right answers."""
    kinds: Counter[str]
    """First word -> questions."""


def statistics(questions: Sequence[Question]) -> Statistics:
    """Count what there is of questions, clips, spans (seconds) and boxes (pixels)."""
    every_box = [box for q in questions for boxes in q.boxes.values() for box in boxes]
    return Statistics(
        questions=len(questions),
        clips=len({q.clip for q in questions}),
        frames=sum(len(q.boxes) for q in questions),
        boxes=Counter(fold(box.label) for box in every_box),
        box_areas=tuple((b.right - b.left) * (b.bottom - b.top) / PICTURE_AREA for b in every_box),
        span_seconds=tuple(q.span[1] - q.span[0] for q in questions if q.span),
        question_words=tuple(len(q.text.split()) for q in questions),
        answer_words=tuple(
            len(q.answers[q.answer_index].split()) for q in questions if q.answer_index is not None
        ),
        kinds=Counter(q.text.split()[0].lower() for q in questions if q.text.split()),
    )


def rows(found: Statistics) -> Iterator[tuple[str, str]]:
    """What is counted, and the count."""
    total = sum(found.boxes.values())
    yield "questions", f"{found.questions:,}"
    yield "clips", f"{found.clips:,}"
    yield "annotated frames", f"{found.frames:,}"
    yield "boxes", f"{total:,}"
    yield "categories", f"{len(found.boxes):,}"
    yield "boxes a frame", _ratio(total, found.frames)
    yield "boxes a question", _ratio(total, found.questions)
    yield "span length, mean", f"{np.mean(found.span_seconds):.2f} s" if found.span_seconds else "-"
    yield "words of a question, mean", _ratio(sum(found.question_words), len(found.question_words))
    yield "words of a right answer, mean", _ratio(sum(found.answer_words), len(found.answer_words))
    for kind, count in found.kinds.most_common(5):
        yield f"questions with {kind!r}", f"{count:,} ({100 * count / found.questions:.1f} %)"


def _ratio(count: int, of: int) -> str:
    return f"{count / of:.2f}" if of else "-"


def print_statistics(found: Statistics, title: str) -> None:
    """As a table on the terminal."""
    table = Table(title=title, show_header=False)
    for what, count in rows(found):
        table.add_row(what, count)
    Console().print(table)


def draw_statistics(found: Statistics, folder: Path) -> list[Path]:
    """Figures 2 and 3 as PNG: boxes of the largest categories; box areas and span lengths."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    categories = Figure(figsize=(12, 4), layout="constrained")
    axes = categories.subplots()
    largest = found.boxes.most_common(SHOWN_CATEGORIES)
    axes.bar([name for name, _ in largest], [count for _, count in largest], color="#3b6ea5")
    axes.set_yscale("log")
    axes.set_ylabel("boxes")
    axes.tick_params(axis="x", rotation=90)
    axes.margins(x=0.01)
    shares = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = shares.subplots(1, 2)
    left.hist(np.clip(found.box_areas, 0, 1), bins=np.linspace(0, 1, 41).tolist(), color="#3b6ea5")
    left.set(xlabel="box area / picture area", ylabel="boxes")
    longest = max(found.span_seconds, default=0)
    right.hist(found.span_seconds, bins=np.arange(0, longest + 2, 1).tolist(), color="#d1843b")
    right.set(xlabel="span length in seconds", ylabel="questions")
    paths = [folder / "boxes_by_category.png", folder / "areas_and_spans.png"]
    for figure, path in zip((categories, shares), paths, strict=True):
        figure.savefig(path, dpi=130)
    return paths
