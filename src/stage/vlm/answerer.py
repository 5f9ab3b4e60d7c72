"""Any vision-language model as an answerer of questions about films"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from stage.errors import InputError
from stage.inference.answerer import Answerer, DataSetAnswers, OpenFilm, Setup
from stage.media.alignment import aligned_sentences
from stage.media.film import Film
from stage.types import (
    FRAMES_PER_SECOND,
    AnsweredBy,
    AttendedSentence,
    Clip,
    Evidence,
    Moment,
    Progress,
    Question,
    WordBoxes,
)
from stage.vlm.chat import ChatModel
from stage.vlm.data_sets import open_data
from stage.vlm.grounding import Grounder, grounder_of
from stage.vlm.reply_cache import CachedModel
from stage.vlm.view import View
from stage.vlm.watching import Answered, answer


@dataclass(frozen=True, eq=False)
class VlmAnswerer(Answerer):
    """A vision-language model, local or served, that answers questions about films."""

    model: ChatModel
    setup: Setup
    answers_freely = True

    @property
    def name(self) -> str:
        """That of the model."""
        return self.model.name

    @property
    def identity(self) -> str:
        """As in `Answerer`: two models in folders of the same name have the same name."""
        return f"{self.name} {self.model.identity}"

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Messages to the user about the model and what it works with."""
        notes = list(self.model.notes)
        if self.setup.image_text is not None:
            notes.append(f"{self.setup.image_text} is not used: {self.name} looks at the frames itself")
        return tuple(notes)

    def look_at(
        self, film: Film, *, cache: str | Path | None = None, progress: Progress | None = None
    ) -> VlmFilm:
        """As in `Answerer`. Frames are looked at when something is asked, as questions decide about which.

        Raises InputError as well if the model understands no pictures and the film has no subtitles.
        """
        folder = None if cache is None else Path(cache)
        model = CachedModel(self.model, folder)
        view = View(film.video, film.clip, model.limits, model.habits)
        grounder = grounder_of(model, self.setup.detector, folder)
        notes = (*film.notes, *self.notes)
        if not model.limits.frames:
            if not film.sentences:
                raise InputError(
                    f"{film.video.path}: has no subtitles, and {self.name} understands no pictures; give subtitles, "
                    "or ask another model"
                )
            notes += (f"{self.name} understands no pictures: it answers from subtitles alone",)
        return VlmFilm(
            self, film.video, film.clip, notes, model, view, grounder, answered_by=AnsweredBy(self.name)
        )

    def answers(self, data: str | Path, *, for_scores: bool = False, fast: bool = False) -> DataSetAnswers:
        """As in `Answerer`: the data folder needs its films, and no features.

        Boxes are looked for in annotated frames alone, for the right answer. The model is as precise as it was
        loaded, `fast` or not.
        """
        opened = open_data(self.model, self.setup.detector, Path(data))
        return replace(opened, notes=(*self.notes, *opened.notes))


@dataclass(frozen=True, eq=False, repr=False)
class VlmFilm(OpenFilm):
    """A film that a vision-language model is asked about."""

    answerer: VlmAnswerer
    model: CachedModel
    view: View
    grounder: Grounder

    def evidence(self, question: Question, progress: Progress | None = None) -> Evidence:
        """As in `OpenFilm`. Raises InputError if the model can't be asked any more; its replies so far are kept."""
        answered = answer(self.model, self.view, self.grounder, question, progress=progress)
        notes = dict.fromkeys((*self.notes, *self.model.notes, *answered.notes))
        return Evidence(
            self.clip,
            answered.question,
            answered.prediction,
            answered.concepts,
            tuple(_moments(answered, self.clip)),
            tuple(notes),
            free=not question.answers,
        )


def _moments(answered: Answered, clip: Clip) -> list[Moment]:
    """The evidence in each frame from which the answer was taken, or in which boxes were found; at least one.

    A model gives a span as a whole, so no frame has a probability of being its start or end.
    """
    span = answered.prediction.span
    grounding: dict[int, list[WordBoxes]] = {frame: [] for frame in answered.frames}
    for words in answered.prediction.grounding:
        if words.boxes:
            grounding.setdefault(words.frame, []).append(words)
    if not grounding:
        grounding[_frame_at(sum(span) / 2, clip)] = []
    frames = sorted(grounding)
    near = aligned_sentences(frames, clip.sentences)
    return [
        Moment(frame, 0.0, 0.0, tuple(grounding[frame]), _attended(said, clip), _within(frame, span))
        for frame, said in zip(frames, near, strict=True)
    ]


def _attended(said: Sequence[int], clip: Clip) -> tuple[AttendedSentence, ...]:
    sentences = [clip.sentences[i] for i in said]
    return tuple(AttendedSentence(sentence, (0.0,) * len(sentence.words)) for sentence in sentences)


def _within(frame: int, span: tuple[float, float]) -> bool:
    return span[0] <= frame / FRAMES_PER_SECOND <= span[1]


def _frame_at(second: float, clip: Clip) -> int:
    return min(clip.frame_count, max(1, round(second * FRAMES_PER_SECOND)))
