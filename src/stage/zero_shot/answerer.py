"""The zero-shot answerer: opens films and data sets, and answers without training"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.features.protocols import ImageTextEncoder, PhraseDetector, RegionDetector
from stage.features.registry import cache_name
from stage.inference.answerer import Answerer, DataSetAnswers, OpenFilm, Setup
from stage.media.film import Film
from stage.media.subtitles import tokenise
from stage.types import AnsweredBy, Evidence, Prediction, Progress, Question, TrackRecord
from stage.zero_shot.answering import Reading, read
from stage.zero_shot.data_sets import predict_all, view_notes
from stage.zero_shot.evidence import make_evidence
from stage.zero_shot.found import FoundMoments, find_phrase
from stage.zero_shot.lexicon import Lexicon
from stage.zero_shot.looking import look
from stage.zero_shot.matching import Matcher
from stage.zero_shot.parameters import Parameters
from stage.zero_shot.view import Found, View
from stage.zero_shot.windows import Windows

NAME = "zero-shot"
RECORD = TrackRecord(
    "films put together of short live-action clips, without speech and with a weak detector of 80 labels",
    questions=71,
    right=0.42,
    chance=0.2,
    span_iou=0.56,
)
"""Measured on seven films, of which five also decided about the structure of what is done (docs/zero-shot.md)."""
NO_DETECTOR = (
    "nothing is recognised in the pictures, since there is no detector ({reason}): answered from shots, colours and "
    "what is said alone; give one with --detector, such as onnx:FILE"
)


def load(spec: str | Path, setup: Setup) -> ZeroShot:
    """The zero-shot answerer, with what the setup names. Raises InputError if that can't be loaded."""
    return ZeroShot.from_setup(setup)


@dataclass(frozen=True, eq=False)
class ZeroShot(Answerer):
    """Answers by comparing texts with what detectors and encoders say; nothing is trained."""

    detector: RegionDetector | None = None
    phrases: PhraseDetector | None = None
    encoder: ImageTextEncoder | None = None
    notes: tuple[str, ...] = ()
    """Messages to the user about the detector."""
    parameters: Parameters = field(default_factory=Parameters)
    lexicon: Lexicon = field(default_factory=Lexicon)

    @property
    def name(self) -> str:
        """As it is asked for."""
        return NAME

    @property
    def identity(self) -> str:
        """As in `Answerer`: with all models that it works with, and its parameters."""
        detector = cache_name(self.detector) if self.detector else ""
        others = (part.name if part else "" for part in (self.phrases, self.encoder))
        return " ".join((NAME, detector, *others, repr(self.parameters)))

    @classmethod
    def from_setup(cls, setup: Setup) -> ZeroShot:
        """Load what a setup names. Without a detector, that for films of any kind, where it can be had."""
        from stage.features.registry import (
            default_detector,
            kind_of_detector,
            load_detector,
            load_image_text_encoder,
            load_phrase_detector,
        )

        encoder = None if setup.image_text is None else load_image_text_encoder(setup.image_text)
        if setup.detector is None:
            detector, reason = default_detector()
            note = reason if detector is not None else NO_DETECTOR.format(reason=reason)
            return cls(detector, None, encoder, (note,))
        if kind_of_detector(setup.detector) == "phrases":
            return cls(None, load_phrase_detector(setup.detector), encoder)
        return cls(load_detector(setup.detector), None, encoder)

    def look_at(
        self, film: Film, *, cache: str | Path | None = None, progress: Progress | None = None
    ) -> ZeroShotFilm:
        """As in `Answerer`."""
        from stage.features.frame_vectors import frame_vectors

        folder, video = None if cache is None else Path(cache), film.video
        advance = progress or (lambda done, total, item: None)
        looked = look(video, self.detector, folder, advance)
        notes = [*self.notes, *film.notes, *looked.notes]
        vectors = None
        if self.encoder is not None:
            vectors = frame_vectors(video, looked.frames, self.encoder, folder, advance, notes.append)
        view = View(
            film.clip,
            looked.frames,
            looked.regions,
            looked.cuts,
            looked.frame_colours,
            vectors,
            self._finder(film, looked.frames, folder, advance, notes.append),
        )
        recognises = self.detector is not None or self.phrases is not None
        answered_by = AnsweredBy(self.name, record=RECORD if recognises else None)
        return ZeroShotFilm(
            self, video, film.clip, tuple(dict.fromkeys(notes)), view, answered_by=answered_by
        )

    def _finder(
        self,
        film: Film,
        frames: tuple[int, ...],
        cache: Path | None,
        progress: Progress,
        note: Callable[[str], None],
    ) -> Callable[[Sequence[str]], Found] | None:
        """What finds phrases in a film; None without a detector that does."""
        if (detector := self.phrases) is None:
            return None
        from stage.features.phrases import find_phrases

        known: dict[str, dict[int, tuple[object, ...]]] = {}

        def find(phrases: Sequence[str]) -> Found:
            if missing := [phrase for phrase in dict.fromkeys(phrases) if phrase not in known]:
                found = find_phrases(film.video, frames, missing, detector, cache, progress, note)
                known.update({phrase: dict(found[phrase]) for phrase in missing})
            return {phrase: known[phrase] for phrase in phrases}  # type: ignore[misc]

        return find

    def matcher(self, view: View) -> Matcher:
        """What holds texts against a view."""
        return Matcher(view, self.lexicon, self.parameters.same_thing, self.encoder)

    def windows(self, view: View) -> Windows:
        """The spans that an answer may have."""
        own = self.parameters
        return Windows.of(view.times, view.edges, view.cuts, own.long_shot, own.longest_span)

    def answers(self, data: str | Path, *, for_scores: bool = False, fast: bool = False) -> DataSetAnswers:
        """As in `Answerer`. What is seen are the labels of the data set's own regions."""
        questions = open_questions(data, Limits())

        def predict() -> Iterator[Prediction]:
            return predict_all(questions, self.parameters, self.lexicon, for_scores=for_scores)

        notes = tuple(f"{questions.name}: {note}" for note in (*questions.notes, *view_notes(questions)))
        return DataSetAnswers(questions.name, questions.questions, predict, notes)


@dataclass(frozen=True, eq=False, repr=False)
class ZeroShotFilm(OpenFilm):
    """A film that was looked at, to be asked anything."""

    answerer: ZeroShot
    view: View

    @cached_property
    def matcher(self) -> Matcher:
        """What holds texts against the film."""
        return self.answerer.matcher(self.view)

    @cached_property
    def windows(self) -> Windows:
        """The spans that an answer may have."""
        return self.answerer.windows(self.view)

    def read(self, question: Question) -> Reading:
        """All that was found about a question's candidates."""
        return read(question, self.matcher, self.windows, self.answerer.parameters)

    def evidence(self, question: Question, progress: Progress | None = None) -> Evidence:
        """As in `OpenFilm`."""
        reading = self.read(question)
        return make_evidence(
            question, reading, self.matcher, self.windows, self.answerer.parameters, self.notes
        )

    def find(self, phrase: str, top: int = 5) -> FoundMoments:
        """The at most `top` moments that a phrase stands out most in, best first, with boxes.

        Raises InputError if the phrase is empty or no text.
        """
        text = checked_phrase(phrase)
        found = find_phrase(text, self.matcher, self.windows, self.answerer.parameters, top, self.notes)
        evidence = tuple(replace(shown, answered_by=self.answered_by) for shown in found.evidence)
        return replace(found, evidence=evidence)


def checked_phrase(phrase: str) -> str:
    """A phrase, tokenised. Raises InputError if it is empty or no text."""
    if not isinstance(phrase, str):
        raise InputError(f"the phrase has to be a text, but is {phrase!r}; write it as a string")
    if not (text := tokenise(phrase)):
        raise InputError("the phrase is empty; write one, such as 'the man with the party hat'")
    return text
