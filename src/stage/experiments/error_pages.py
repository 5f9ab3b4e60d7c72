"""Evidence pages of questions of a data set, asked of their films (Fig. 5 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stage.data.extraction import EPISODES
from stage.errors import InputError
from stage.experiments.error_analysis import Case, Cause
from stage.features.extraction import films_in
from stage.inference.ask import Answerer
from stage.metrics.answers import ANSWER_SPAN_IOU
from stage.page import frames_to_show, render, write_page
from stage.page.timeline import overlap
from stage.types import Evidence, Image, Progress

Entry = tuple[Evidence, Mapping[int, Image]]


def write_pages(
    chosen: Mapping[Cause, Sequence[Case]], data: Path, model: str, out: Path, progress: Progress
) -> tuple[list[Path], list[str]]:
    """A page for each cause that has cases, OUT/CAUSE.html: paths, and notes on answers that came out differently.

    Films are those of DATA/episodes, with the subtitle files beside them. Raises InputError if one is missing.
    """
    films = films_in(data / EPISODES)
    cases = [case for of_cause in chosen.values() for case in of_cause]
    if absent := sorted({case.question.clip for case in cases} - films.keys()):
        raise InputError(f"{data / EPISODES}: has no film of clip {absent[0]}, which has examples")
    answerer = Answerer.from_pretrained(model)
    entries: dict[int, Entry] = {}
    names = list(dict.fromkeys(case.question.clip for case in cases))
    for done, name in enumerate(names):
        progress(done, len(names), name)
        entries |= _ask(answerer, films[name], [case for case in cases if case.question.clip == name])
    paths = []
    for cause, of_cause in chosen.items():
        if of_cause:
            path = out / f"{cause.name.lower()}.html"
            title = cause.value[0].upper() + cause.value[1:]
            write_page(path, render([entries[case.question.qid] for case in of_cause], title=title))
            paths.append(path)
    return paths, differences(cases, entries)


def _ask(answerer: Answerer, film: Path, cases: Sequence[Case]) -> dict[int, Entry]:
    subtitles = film.with_suffix(".srt")
    opened = answerer.open(film, subtitles if subtitles.exists() else None)
    entries: dict[int, Entry] = {}
    for case in cases:
        evidence = opened.ask_question(case.question)
        entries[case.question.qid] = evidence, opened.pictures(frames_to_show(evidence))
    return entries


def differences(cases: Sequence[Case], entries: Mapping[int, Entry]) -> list[str]:
    """Where a page tells another answer than the prediction file, or a span that belongs to another cause."""
    notes = []
    for case in cases:
        evidence = entries[case.question.qid][0]
        asked = f"question {case.question.qid}: the prediction file says"
        if evidence.prediction.answer_index != case.chosen:
            file_says = case.question.answers[case.chosen]
            notes.append(
                f"{asked} {file_says!r}, the model says {evidence.answer!r}; are the predictions this model's?"
            )
        elif _in_time(evidence.prediction.span, case) != (case.iou >= ANSWER_SPAN_IOU):
            file_says, says = (f"{a:.1f} to {b:.1f} s" for a, b in (case.span, evidence.prediction.span))
            notes.append(
                f"{asked} {file_says}, the model says {says}: by its page it belongs to another cause"
            )
    return notes


def _in_time(span: tuple[float, float], case: Case) -> bool:
    assert case.question.span is not None
    return overlap(span, case.question.span) >= ANSWER_SPAN_IOU
