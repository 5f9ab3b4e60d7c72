"""Data set statistics: Tables 1 and 2, Figures 2 and 3 of the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from stage.annotation.checking import SizeOf, unknown_size
from stage.annotation.vocabulary import normalise_word
from stage.io import BEGINNING, OutputKind, writing_file
from stage.terminal import PlainConsole, printable
from stage.types import Question
from stage.wording import counted

PLOTS = ("boxes_by_category.png", "areas_and_spans.png")
PLOT = OutputKind("a plot of this command", lambda path: b"Matplotlib" in path.read_bytes()[:BEGINNING])
MOST_BINS = 1000
"""Of span lengths, each a second wide unless there is a longer span."""
SHOWN_CHARACTERS = 20
"""Of a category's name in a plot."""
SHOWN_CATEGORIES = 60
"""The largest categories, which Figure 2 shows."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts over all questions of a data set."""

    questions: int
    clips: int
    frames: int
    """Annotated (question, frame) pairs, including frames with an empty list of boxes."""
    boxes: Counter[str]
    """Category (a normalised label) -> number of its boxes."""
    box_areas: tuple[float, ...]
    """Area of every box as a fraction of its frame, where the size of that is known."""
    span_seconds: tuple[float, ...]
    """Length of every annotated span."""
    question_words: tuple[int, ...]
    """Number of words of every question."""
    answer_words: tuple[int, ...]
    """Number of words of every right answer."""
    first_words: Counter[str]
    """First word (lower case) -> number of questions."""


def statistics(questions: Sequence[Question], size_of: SizeOf = unknown_size) -> Statistics:
    """Count questions, clips, spans (seconds) and boxes (pixels). size_of: the sizes of the clips' frames."""
    every_box = [box for q in questions for boxes in q.boxes.values() for box in boxes]
    sizes = {clip: size_of(clip) for clip in dict.fromkeys(q.clip for q in questions)}
    return Statistics(
        questions=len(questions),
        clips=len({q.clip for q in questions}),
        frames=sum(len(q.boxes) for q in questions),
        boxes=Counter(normalise_word(box.label) for box in every_box),
        box_areas=tuple(
            (b.right - b.left) * (b.bottom - b.top) / (size[0] * size[1])
            for q in questions
            if (size := sizes[q.clip])
            for boxes in q.boxes.values()
            for b in boxes
        ),
        span_seconds=tuple(q.span[1] - q.span[0] for q in questions if q.span),
        question_words=tuple(len(q.text.split()) for q in questions),
        answer_words=tuple(
            len(q.answers[q.answer_index].split()) for q in questions if q.answer_index is not None
        ),
        first_words=Counter(q.text.split()[0].lower() for q in questions if q.text.split()),
    )


def table_rows(counts: Statistics) -> Iterator[tuple[str, str]]:
    """The rows of the printed table: (name, value)."""
    total = sum(counts.boxes.values())
    yield "questions", f"{counts.questions:,}"
    yield "clips", f"{counts.clips:,}"
    yield "annotated frames", f"{counts.frames:,}"
    yield "boxes", f"{total:,}"
    yield "categories", f"{len(counts.boxes):,}"
    yield "boxes per frame", _ratio(total, counts.frames)
    yield "boxes per question", _ratio(total, counts.questions)
    yield "mean span length", f"{np.mean(counts.span_seconds):.2f} s" if counts.span_seconds else "-"
    yield "mean words per question", _ratio(sum(counts.question_words), len(counts.question_words))
    yield "mean words per right answer", _ratio(sum(counts.answer_words), len(counts.answer_words))
    for word, count in counts.first_words.most_common(5):
        yield f"questions beginning with {word!r}", f"{count:,} ({100 * count / counts.questions:.1f} %)"


def _ratio(count: int, total: int) -> str:
    return f"{count / total:.2f}" if total else "-"


def print_statistics(counts: Statistics, title: str) -> None:
    """Print the statistics as a table."""
    table = Table(title=title, show_header=False)
    for name, value in table_rows(counts):
        table.add_row(name, value)
    PlainConsole().print(table)


def draw_statistics(counts: Statistics, folder: Path) -> list[Path]:
    """Figures 2 and 3 as PNG files: boxes by category; box areas and span lengths. Returns their paths."""
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}):  # a label may have dollar signs
        return _draw(counts, folder)


def _draw(counts: Statistics, folder: Path) -> list[Path]:
    from matplotlib.figure import Figure

    categories = Figure(figsize=(12, 4), layout="constrained")
    axes = categories.subplots()
    largest = counts.boxes.most_common(SHOWN_CATEGORIES)
    places = range(len(largest))
    axes.bar(places, [count for _, count in largest], color="#3b6ea5")
    axes.set_xticks(places, [printable(name)[:SHOWN_CHARACTERS] for name, _ in largest])
    axes.set_yscale("log")
    axes.set_ylabel("boxes")
    axes.tick_params(axis="x", rotation=90)
    axes.margins(x=0.01)
    shares = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = shares.subplots(1, 2)
    left.hist(np.clip(counts.box_areas, 0, 1), bins=np.linspace(0, 1, 41).tolist(), color="#3b6ea5")
    unknown = sum(counts.boxes.values()) - len(counts.box_areas)
    left.set(xlabel="box area / frame area", ylabel="boxes")
    if unknown:
        left.set_title(
            f"without {counted(unknown, 'box', 'boxes')} in films of unknown size", fontsize="small"
        )
    longest = max(counts.span_seconds, default=0)
    bins = np.arange(0, longest + 2, 1) if longest < MOST_BINS else np.linspace(0, longest, MOST_BINS)
    right.hist(counts.span_seconds, bins=bins.tolist(), color="#d1843b")
    right.set(xlabel="span length in seconds", ylabel="questions")
    paths = [folder / name for name in PLOTS]
    for figure, path in zip((categories, shares), paths, strict=True):
        with writing_file(path) as partial:
            figure.savefig(partial, format="png", dpi=130)
    return paths
