"""What travels through the project, each thing defined once.

Units: times are seconds from the start of the clip, boxes are pixels of the clip's own picture. Frames are
*numbered*: a clip has 3 numbered frames a second, counted from 1, and frame k shows the clip at k / 3 seconds.
The model looks at every sixth of them (0.5 a second).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]
"""A picture, (height, width, 3), RGB."""

Progress = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and what it is."""

FRAMES_PER_SECOND = 3
"""Numbered frames a second of video."""

MODEL_STRIDE = 6
"""The model sees every sixth numbered frame: one each two seconds."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A subtitle sentence. `text` is tokenised: words and punctuation with blanks between them."""

    start: float
    end: float
    text: str

    @property
    def words(self) -> list[str]:
        return self.text.split()


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a frame, in pixels: of an annotator (score 1) or of a model."""

    left: float
    top: float
    right: float
    bottom: float
    label: str = ""
    score: float = 1.0

    @property
    def corners(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of film, without its pixels."""

    name: str
    frame_count: int
    """Numbered frames, 3 a second."""
    width: int = 640
    height: int = 360
    sentences: tuple[Sentence, ...] = ()

    @property
    def duration(self) -> float:
        return self.frame_count / FRAMES_PER_SECOND

    def cut(self, span: tuple[float, float]) -> tuple[float, float]:
        """What the clip has of a span in seconds: the last of its numbered frames at least, a third of a second."""
        start = min(span[0], max(0.0, self.duration - 1 / FRAMES_PER_SECOND))
        return start, max(start, min(span[1], self.duration))


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a clip with its candidate answers and, where known, the truth."""

    qid: int
    clip: str
    text: str
    answers: tuple[str, ...]
    answer_index: int | None = None
    span: tuple[float, float] | None = None
    """Start and end in seconds of the moment that shows the answer."""
    boxes: Mapping[int, tuple[Box, ...]] = field(default_factory=dict)
    """Numbered frame -> the annotated boxes of it, labels as in the question's words. Can be empty."""

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """Question and answer k as one text, for each k."""
        return tuple(f"{self.text} {answer}" for answer in self.answers)


@dataclass(frozen=True, slots=True)
class Regions:
    """What a detector found in one frame, best first."""

    boxes: Array
    """(N, 4): left, top, right, bottom in pixels."""
    scores: Array
    """(N,)"""
    features: Array
    """(N, D)"""
    labels: tuple[str, ...] = ()
    """One for each region, or none at all if the detector does not name what it finds."""

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def none(cls, dim: int) -> Regions:
        """Of a frame in which nothing was found, or that nobody has seen. dim: D"""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, dim), np.float32))


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """A clip as vectors."""

    clip: Clip
    words: tuple[Array, ...]
    """For each sentence of the clip: (words of the sentence, D_text)."""
    regions: Mapping[int, Regions]
    """Numbered frame -> what is in it."""
    region_dim: int
    """Size of a region's vector."""


@dataclass(frozen=True, slots=True)
class WordBoxes:
    """The boxes that a hypothesis' word is grounded in, in one frame; best first."""

    hypothesis: int
    frame: int
    """Numbered frame."""
    word: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one question."""

    qid: int
    clip: str
    answer_index: int
    probabilities: tuple[float, ...]
    """One for each candidate answer, summing to 1."""
    spans: tuple[tuple[float, float], ...]
    """Start and end in seconds, one for each candidate answer."""
    grounding: tuple[WordBoxes, ...] = ()

    @property
    def span(self) -> tuple[float, float]:
        """The span of the predicted answer."""
        return self.spans[self.answer_index]


@dataclass(frozen=True, slots=True)
class AttendedSentence:
    """A subtitle sentence as the model read it at one frame."""

    sentence: Sentence
    weights: tuple[float, ...]
    """For each word of the sentence, in [0, 1]: how much the hypothesis attends to it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What the model saw and looked at in one frame, for the predicted answer."""

    frame: int
    """Numbered frame; it shows the clip at frame / 3 seconds."""
    start_probability: float
    end_probability: float
    grounding: tuple[WordBoxes, ...]
    """For each concept word that has boxes with a score over the threshold."""
    sentences: tuple[AttendedSentence, ...]

    @property
    def time(self) -> float:
        return self.frame / FRAMES_PER_SECOND


@dataclass(frozen=True, slots=True)
class Evidence:
    """An answer with where, when and why."""

    clip: Clip
    question: Question
    prediction: Prediction
    concepts: tuple[str, ...]
    """Words of the question and the predicted answer that name people and objects, in order, each once."""
    moments: tuple[Moment, ...]
    """One for each frame that the model saw, in time order."""
    notes: tuple[str, ...] = ()
    """What was repaired or is missing, in plain words."""

    @property
    def answer(self) -> str:
        return self.question.answers[self.prediction.answer_index]
