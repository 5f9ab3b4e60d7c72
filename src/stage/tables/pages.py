"""Evidence pages of questions of a data set, asked of their films (Fig. 5 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stage.answering import Answerer
from stage.errors import InputError
from stage.extraction import EPISODES, Progress, films_in
from stage.page import frames_to_show, render, write_page
from stage.tables.causes import Case, Cause
from stage.types import Evidence, Image

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
    return paths, _differences(cases, entries)


def _ask(answerer: Answerer, film: Path, cases: Sequence[Case]) -> dict[int, Entry]:
    subtitles = film.with_suffix(".srt")
    opened = answerer.open(film, subtitles if subtitles.exists() else None)
    entries: dict[int, Entry] = {}
    for case in cases:
        evidence = opened.ask_question(case.question)
        entries[case.question.qid] = evidence, opened.pictures(frames_to_show(evidence))
    return entries


def _differences(cases: Sequence[Case], entries: Mapping[int, Entry]) -> list[str]:
    return [
        f"question {case.question.qid}: the prediction file says {case.question.answers[case.chosen]!r}, the model "
        f"says {evidence.answer!r}; are the predictions this model's?"
        for case in cases
        if (evidence := entries[case.question.qid][0]).prediction.answer_index != case.chosen
    ]
