"""Predictions of a vision-language model for a data folder: film by film, from the films themselves"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stage.data.layouts.folder import EPISODES, check_files, matches, notes_of, read_annotation
from stage.errors import InputError
from stage.features.films import films_in, open_either, without_film
from stage.inference.answerer import DataSetAnswers
from stage.types import Clip, Prediction, Question
from stage.vlm.chat import ChatModel
from stage.vlm.grounding import Grounder, NoGrounder, grounder_of
from stage.vlm.reply_cache import CachedModel
from stage.vlm.view import View
from stage.vlm.watching import Answered, answer
from stage.wording import counted

MOST_NOTES = 10
"""Of single questions that are shown for a data set."""


def open_data(asked_of: ChatModel, detector: str | None, folder: Path) -> DataSetAnswers:
    """The questions of a data folder, to be answered by a model from its films.

    Raises InputError if it is no data folder, or a question's film is missing.
    """
    folder = Path(folder)
    if not matches(folder):
        check_files(folder)
    questions, clips = read_annotation(folder)
    by_name = {clip.name: clip for clip in clips}
    films = films_in(folder / EPISODES)
    asked = list(dict.fromkeys(question.clip for question in questions))
    if missing := [name for name in asked if name not in films]:
        raise InputError(
            f"{folder / EPISODES}: has no film of {without_film(folder / EPISODES, missing)}; the model looks at "
            "the films themselves"
        )
    if unknown := [name for name in asked if name not in by_name]:
        raise InputError(
            f"{folder}: knows no length of clip {unknown[0]}; make the clip files with `stage data make {folder}`"
        )
    if any(not question.answers for question in questions):
        raise InputError(f"{folder}: a question without candidate answers can't be scored; leave it out")
    model = CachedModel(asked_of, None)
    grounder = grounder_of(model, detector, None)
    notes = tuple(f"{folder}: {note}" for note in notes_of(folder))
    if isinstance(grounder, NoGrounder):
        notes += grounder.notes

    noted: Counter[str] = Counter()

    def predict(done: Collection[int] = ()) -> Iterator[Prediction]:
        rest = [question for question in questions if question.qid not in done]
        for answered in _answered(model, grounder, rest, by_name, films):
            noted.update(note for note in answered.notes if note not in notes)
            yield answered.prediction

    return DataSetAnswers(
        str(folder),
        questions,
        predict,
        notes,
        predict_rest=predict,
        notes_of_questions=lambda: _summary(noted, [n for n in model.notes if n not in asked_of.notes]),
    )


def _summary(noted: Counter[str], others: Sequence[str]) -> tuple[str, ...]:
    """Notes with how many questions each is about, the most frequent first; then others."""
    shown = [f"{counted(count, 'question')}: {note}" for note, count in noted.most_common(MOST_NOTES)]
    more = len(noted) - len(shown)
    rest = [f"{counted(more, 'other note')}, each about as few questions or fewer"] if more > 0 else []
    return (*shown, *rest, *others)


def _answered(
    model: ChatModel,
    grounder: Grounder,
    questions: Sequence[Question],
    clips: Mapping[str, Clip],
    films: Mapping[str, Path],
) -> Iterator[Answered]:
    """The answer to each question, clip by clip. What was replied is cached, so a rerun asks nothing twice."""
    by_clip: dict[str, list[Question]] = {}
    for question in questions:
        by_clip.setdefault(question.clip, []).append(question)
    for name, of_clip in by_clip.items():
        film = open_either(films[name])
        count = min(film.frame_count, clips[name].frame_count)
        clip = replace(clips[name], width=film.width, height=film.height, frame_count=count)
        view = View(film, clip, model.limits, model.habits)
        for question in of_clip:
            frames = sorted(frame for frame, boxes in question.boxes.items() if boxes)
            yield answer(model, view, grounder, question, frames)
