"""Evidence pages for the examples of an error analysis (as Fig. 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stage.data.films import subtitle_files
from stage.data.layouts.folder import EPISODES
from stage.errors import InputError
from stage.experiments.error_analysis import AnalysedAnswer, Outcome
from stage.features.films import films_in
from stage.geometry import span_overlap
from stage.inference.answerer import Answerer
from stage.metrics.answers import ANSWER_SPAN_IOU
from stage.page import frames_to_show, render, write_page
from stage.types import Evidence, Image, Progress

Entry = tuple[Evidence, Mapping[int, Image]]


def write_pages(
    examples: Mapping[Outcome, Sequence[AnalysedAnswer]],
    data: Path,
    answerer: Answerer,
    out: Path,
    progress: Progress,
) -> tuple[list[Path], list[str]]:
    """Write a page per outcome that has examples, OUT/OUTCOME.html.

    The answerer is asked again: about the films in DATA/episodes, with the subtitle files next to them. Returns the
    pages' paths, and notes on answers that differ from the prediction file. Raises InputError if a film is missing.
    """
    films, subtitles = films_in(data / EPISODES), subtitle_files(data / EPISODES)
    answers = [answer for of_outcome in examples.values() for answer in of_outcome]
    if absent := sorted({answer.question.clip for answer in answers} - films.keys()):
        raise InputError(f"{data / EPISODES}: has no film of clip {absent[0]}, which has examples")
    entries: dict[int, Entry] = {}
    clips = list(dict.fromkeys(answer.question.clip for answer in answers))
    for done, clip in enumerate(clips):
        progress(done, len(clips), clip)
        of_clip = [answer for answer in answers if answer.question.clip == clip]
        entries |= _ask(answerer, films[clip], next(iter(subtitles.get(clip, [])), None), of_clip)
    paths = []
    for outcome, of_outcome in examples.items():
        if of_outcome:
            path = page_of(outcome, out)
            title = outcome.value[0].upper() + outcome.value[1:]
            write_page(path, render([entries[answer.question.qid] for answer in of_outcome], title=title))
            paths.append(path)
    return paths, differences(answers, entries)


def page_of(outcome: Outcome, out: Path) -> Path:
    """The page of an outcome's examples."""
    return out / f"{outcome.name.lower()}.html"


def _ask(
    answerer: Answerer, film: Path, subtitles: Path | None, answers: Sequence[AnalysedAnswer]
) -> dict[int, Entry]:
    opened = answerer.open(film, subtitles)
    entries: dict[int, Entry] = {}
    for answer in answers:
        evidence = opened.ask_question(answer.question)
        entries[answer.question.qid] = evidence, opened.pictures(frames_to_show(evidence))
    return entries


def differences(answers: Sequence[AnalysedAnswer], entries: Mapping[int, Entry]) -> list[str]:
    """Notes on pages whose answer differs from the prediction file, or whose span gives another outcome."""
    notes = []
    for answer in answers:
        evidence = entries[answer.question.qid][0]
        prefix = f"question {answer.question.qid}: the prediction file says"
        if answer.answer_index is None or answer.span is None:
            continue
        if evidence.prediction.answer_index != answer.answer_index:
            in_file = answer.question.answers[answer.answer_index]
            notes.append(
                f"{prefix} {in_file!r}, the model says {evidence.answer!r}; are the predictions this model's?"
            )
        elif _right_moment(evidence.prediction.span, answer) != (answer.iou >= ANSWER_SPAN_IOU):
            in_file, on_page = (f"{a:.1f} to {b:.1f} s" for a, b in (answer.span, evidence.prediction.span))
            notes.append(f"{prefix} {in_file}, the model says {on_page}: the page shows another outcome")
    return notes


def _right_moment(span: tuple[float, float], answer: AnalysedAnswer) -> bool:
    assert answer.question.span is not None
    return span_overlap(span, answer.question.span) >= ANSWER_SPAN_IOU
