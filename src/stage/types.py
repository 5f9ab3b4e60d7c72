"""Data types shared by all packages: clips, questions, regions, evidence.

Units: times are seconds from the start of the clip; boxes are in pixels of the clip at its own size. Frames are
*numbered*: a clip has 3 numbered frames per second, counted from 1, and frame k shows the clip at k / 3 seconds.
The model reads every sixth of them (0.5 per second).

All can be hashed. Those that consist of arrays, `Regions` and `ClipFeatures`, are equal to themselves alone; the
others are equal if their content is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]
"""(height, width, 3), RGB."""

Progress = Callable[[int, int, str], None]
"""Called with the number of items done, their total, and the name of the current one."""

FRAMES_PER_SECOND = 3
"""Numbered frames per second of video."""

MAX_SECONDS = 10**9
"""Times of this size or larger, 31 years, are errors; milliseconds of any film are smaller, and reported as such."""

MODEL_STRIDE = 6
"""The model reads every sixth numbered frame: one every two seconds."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A subtitle sentence; times in seconds. `text` is tokenised: words and punctuation separated by spaces."""

    start: float
    end: float
    text: str

    @property
    def words(self) -> list[str]:
        return self.text.split()


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a frame, in pixels: annotated (score 1) or predicted."""

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
    """The metadata and subtitles of a video clip, without its pixels."""

    name: str
    frame_count: int
    """Numbered frames, 3 per second."""
    width: int = 640
    height: int = 360
    sentences: tuple[Sentence, ...] = ()

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.frame_count / FRAMES_PER_SECOND

    def clamp(self, span: tuple[float, float]) -> tuple[float, float]:
        """A span (seconds) limited to the clip; one beyond its end becomes the clip's last third of a second."""
        start = min(max(0.0, span[0]), max(0.0, self.duration - 1 / FRAMES_PER_SECOND))
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
    boxes: Mapping[int, tuple[Box, ...]] = field(default_factory=dict, hash=False)
    """Numbered frame -> its annotated boxes, which may be none; labels are words of the question or right answer."""

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """One text per candidate answer: the question followed by the answer (Sec. 4.2)."""
        return tuple(f"{self.text} {answer}" for answer in self.answers)


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The regions detected in one frame, best first."""

    boxes: Array
    """(N, 4): left, top, right, bottom in pixels."""
    scores: Array
    """(N,)"""
    features: Array
    """(N, D)"""
    labels: tuple[str, ...] = ()
    """One per region, or none at all if the detector doesn't classify its regions."""

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls, dim: int) -> Regions:
        """No regions: for a frame without detections, or one that no detector has processed. dim: D"""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, dim), np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class ClipFeatures:
    """The feature vectors of a clip."""

    clip: Clip
    words: tuple[Array, ...]
    """For each sentence of the clip: (words of the sentence, D_text)."""
    regions: Mapping[int, Regions]
    """Numbered frame -> its regions."""
    region_dim: int
    """Size of a region's feature vector."""


@dataclass(frozen=True, slots=True)
class WordBoxes:
    """The boxes that ground one word of a hypothesis in one frame, best first."""

    hypothesis: int
    frame: int
    """Numbered frame."""
    word: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answer to one question, with its spans and grounding."""

    qid: int
    clip: str
    answer_index: int
    probabilities: tuple[float, ...]
    """One per candidate answer, summing to 1."""
    spans: tuple[tuple[float, float], ...]
    """Start and end in seconds, one pair per candidate answer."""
    grounding: tuple[WordBoxes, ...] = ()

    @property
    def span(self) -> tuple[float, float]:
        """The span of the predicted answer."""
        return self.spans[self.answer_index]


@dataclass(frozen=True, slots=True)
class AttendedSentence:
    """A subtitle sentence aligned with a frame, and the attention that its words get there."""

    sentence: Sentence
    weights: tuple[float, ...]
    """The hypothesis' attention to each word of the sentence, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The evidence in one frame, for the predicted answer."""

    frame: int
    """Numbered frame; it shows the clip at frame / 3 seconds."""
    start_probability: float
    """Probability that the span starts in this frame."""
    end_probability: float
    """Probability that the span ends in this frame."""
    grounding: tuple[WordBoxes, ...]
    """One entry per concept word that has boxes with a score above the threshold."""
    sentences: tuple[AttendedSentence, ...]
    in_span: bool
    """Whether the predicted span covers this frame. Its times don't decide that: they are limited to the clip."""

    @property
    def time(self) -> float:
        """In seconds."""
        return self.frame / FRAMES_PER_SECOND


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How often an answerer was right on films of one kind."""

    kind: str
    """What films these were, such as "drawn episodes of the sitcom"."""
    questions: int
    """Questions that were asked."""
    right: float
    """Share of right answers, in [0, 1]."""
    chance: float
    """Share of right answers by luck."""
    span_iou: float | None = None
    """Mean intersection over union of predicted and true spans; None if it was not measured."""


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    """Who answered, and how far to trust the answer."""

    name: str
    """Of the answerer, such as "sitcom" or "zero-shot"."""
    reason: str = ""
    """Why this one was chosen; empty if the user named it."""
    record: TrackRecord | None = None
    """On films of this kind; None if it was never measured on such films."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An answer with its spatio-temporal evidence: span, boxes and attended subtitles."""

    clip: Clip
    question: Question
    prediction: Prediction
    concepts: tuple[str, ...]
    """Words of the question and the predicted answer that name people and objects, in order, without duplicates."""
    moments: tuple[Moment, ...]
    """One per frame that the model read, in time order."""
    notes: tuple[str, ...] = ()
    """Messages to the user about what was repaired or is missing in the input."""
    answered_by: AnsweredBy | None = None
    free: bool = False
    """Whether the answer was written without candidates. It is the only one then; its probability means nothing."""
    html: Callable[[Evidence], str] | None = field(default=None, compare=False, repr=False)
    """How a notebook shows it, with a picture of the film; None if the film is not at hand. Not copied by pickle."""

    @property
    def answer(self) -> str:
        return self.question.answers[self.prediction.answer_index]

    def _repr_html_(self) -> str | None:
        """Called by notebooks; None makes them show the text form."""
        return None if self.html is None else self.html(self)

    def __reduce__(self) -> tuple[type[Evidence], tuple[object, ...]]:
        return Evidence, tuple(getattr(self, each.name) for each in fields(self) if each.name != "html")
