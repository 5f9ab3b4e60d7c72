"""The interface of all that answer questions about films: STAGE, zero-shot, vision-language models"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from stage.errors import InputError
from stage.features.store.clip_file import shown
from stage.inference.answers import Answers, ask_each
from stage.inference.asked import Asked, as_read, checked_question, tokenise_question
from stage.inference.films import open_to_ask
from stage.inference.names import DEFAULT_ANSWERER as DEFAULT_ANSWERER
from stage.inference.names import module_of
from stage.inference.question_files import parsed
from stage.media.film import Film
from stage.media.video import Video
from stage.types import AnsweredBy, Clip, Evidence, Image, Prediction, Progress, Question
from stage.wording import counted


@dataclass(frozen=True, slots=True)
class Setup:
    """Models that an answerer works with, where it leaves the choice; None for its own default."""

    detector: str | None = None
    """A region detector or open-vocabulary detector, see `stage.features.registry`."""
    image_text: str | None = None
    """An image-text encoder (CLIP, SigLIP): a folder or hub name."""


@dataclass(frozen=True, eq=False)
class DataSetAnswers:
    """The questions of a data set, and an answerer's predictions for them."""

    name: str
    """Where the questions were read from."""
    questions: Sequence[Question]
    predict: Callable[[], Iterator[Prediction]]
    """One prediction per question, in any order. May raise InputError, after some predictions."""
    notes: tuple[str, ...] = ()
    """Messages to the user about the data set and the answerer."""
    localises: bool = True
    """Whether spans are predicted; otherwise those of the predictions mean nothing."""
    predict_rest: Callable[[Collection[int]], Iterator[Prediction]] | None = None
    """Like `predict`, without the questions that have these qids, so that long work can be resumed; None if the
    answerer is fast."""
    notes_of_questions: Callable[[], Sequence[str]] = tuple
    """Messages to the user about single questions that were predicted so far, each with how many it holds for."""


class Kind(Protocol):
    """A module with answerers of one kind."""

    def load(self, spec: str | Path, setup: Setup) -> Answerer:
        """Load the answerer of this name. Raises InputError if there is none, or what it needs is missing."""


class Answerer(ABC):
    """Answers questions about films and data sets, with evidence."""

    answers_freely = False
    """Whether a question may come without candidate answers."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the answerer is called in outputs, such as "sitcom" or "zero-shot"."""

    @property
    def identity(self) -> str:
        """Tells its answers from those of all others: its name, and what else decides, such as its weights."""
        return self.name

    @staticmethod
    def from_pretrained(
        spec: str | Path = DEFAULT_ANSWERER,
        *,
        detector: str | None = None,
        image_text: str | None = None,
    ) -> Answerer:
        """Load an answerer.

        spec: a packaged model ("sitcom", "people"), a model folder, "zero-shot", "vlm:" with a hub name or folder,
        "openai:" with URL#MODEL, or "auto", which takes the best of these for each film. detector, image_text: models
        that it works with, where it leaves the choice. Raises InputError if there is no such answerer, or what it
        needs is missing.
        """
        kind = cast(Kind, import_module(module_of(str(spec))))
        return kind.load(spec, Setup(detector, image_text))

    def open(
        self,
        video: str | Path,
        subtitles: str | Path | None = None,
        *,
        cache: str | Path | None = None,
        progress: Progress | None = None,
    ) -> OpenFilm:
        """Open a film and look at it.

        subtitles: a .srt, .vtt, .ass or .ssa file, or "auto" to have what is said heard by a Whisper model; without
        one, the film's own subtitle track is read, if it has one. What was seen is stored in `cache` (by default the
        user's cache folder), so that a film is looked at only once. Raises InputError if either file can't be used,
        or the subtitles are those of another film.
        """
        return self.look_at(open_to_ask(video, subtitles, progress), cache=cache, progress=progress)

    @abstractmethod
    def look_at(
        self, film: Film, *, cache: str | Path | None = None, progress: Progress | None = None
    ) -> OpenFilm:
        """Look at a film that is already open. Raises InputError if its frames can't be read any more."""

    @abstractmethod
    def answers(self, data: str | Path, *, for_scores: bool = False, fast: bool = False) -> DataSetAnswers:
        """Open a data set to answer its questions.

        for_scores: boxes are only needed where they are scored, for the right answer in annotated frames. fast: in
        bfloat16 where that is faster. Raises InputError naming what is missing in the data set and how to create it.
        """


@dataclass(frozen=True, eq=False, repr=False)
class OpenFilm(ABC):
    """A film that was looked at. Questions about it are cheap."""

    answerer: Answerer
    film: Video
    clip: Clip
    """The film's size, length and subtitles."""
    notes: tuple[str, ...]
    """Messages to the user about what was repaired or is missing."""
    answered_by: AnsweredBy = field(kw_only=True)
    """Who answers, why, and how often it is right on films of this kind."""

    def __repr__(self) -> str:
        sentences = counted(len(self.clip.sentences), "sentence")
        return f"{type(self).__name__}({str(self.film.path)!r}, {self.clip.duration:.1f} s, {sentences})"

    def ask(
        self, question: str, answers: Sequence[str] = (), *, progress: Progress | None = None
    ) -> Evidence:
        """Answer a question, with evidence: choose among two or more candidate answers.

        Without candidates the answer is written freely, by answerers that can. progress: is told how far the answer
        is, by answerers that take long. Raises InputError if there are too few candidates for this one.
        """
        if self.answerer.answers_freely and not isinstance(answers, str) and not answers:
            asked = Question(0, self.clip.name, checked_question(question), ())
        else:
            asked = Question(0, self.clip.name, *tokenise_question(question, answers))
        return self.ask_question(asked, progress=progress)

    def ask_all(
        self,
        questions: Iterable[Question | str | tuple[str, Sequence[str]] | Mapping[str, object]],
        *,
        progress: Progress | None = None,
    ) -> Answers:
        """Answer several questions: pairs of question and answers, mappings with the keys of a file of questions, or
        `Question`.

        One that fails while it is answered doesn't stop the others; it is among the result's `failed`. Raises
        InputError, before anything is answered, if a question can't be asked.
        """
        given = list(parsed(questions))
        freely = self.answerer.answers_freely
        for asked in given:
            try:
                as_read(asked.question, freely=freely)
            except InputError as error:
                raise InputError(f"question {asked.id}: {error}") from None
        results = []
        for done, result in enumerate(
            ask_each(self.ask_question, map(self._of_film, given), freely=freely), 1
        ):
            results.append(result)
            if progress is not None:
                progress(done, len(given), "questions")
        return Answers.of(results)

    def _of_film(self, asked: Asked) -> Asked:
        return replace(asked, question=replace(asked.question, clip=self.clip.name))

    def ask_question(self, question: Question, *, progress: Progress | None = None) -> Evidence:
        """Like `ask`, but for a question of a data set, which may carry ground truth. Its texts are tokenised."""
        return self.shown(self.evidence(question, progress))

    def shown(self, evidence: Evidence) -> Evidence:
        """The evidence with who answered, and the picture that notebooks show with it."""
        return replace(evidence, answered_by=self.answered_by, html=self._html)

    def _html(self, evidence: Evidence) -> str:
        from stage.page.notebook import frame_to_show, render_evidence

        frame = frame_to_show(evidence)
        try:
            pictures = {} if frame is None else self.pictures([frame], longest_side=480)
        except InputError:  # the film has gone: the answer is shown without a picture
            pictures = {}
        return render_evidence(evidence, pictures)

    @abstractmethod
    def evidence(self, question: Question, progress: Progress | None = None) -> Evidence:
        """The answer to a question with its evidence, without who answers. progress: as for `ask`."""

    def pictures(self, frames: Sequence[int], longest_side: int = 640) -> dict[int, Image]:
        """Numbered frame -> image, (height, width, 3) RGB; the longer side has at most `longest_side` pixels.

        Raises InputError naming the frames that lie outside the film, or if the film can't be read any more.
        """
        count = self.film.frame_count
        if outside := sorted({frame for frame in frames if not 1 <= frame <= count}):
            raise InputError(
                f"{self.film.path}: has no {shown(outside)}; its frames are numbered from 1 to {count} (3 per second)"
            )
        return dict(self.film.frames(sorted(set(frames)), longest_side=longest_side))
