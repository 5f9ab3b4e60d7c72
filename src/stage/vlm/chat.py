"""What is asked of a vision-language model, local or served: prompts with frames, letters, and text

A model that answers questions about films is a `ChatModel`; `stage.vlm.answerer.VlmAnswerer` makes an answerer of
any. A module of a kind of them has `load(spec, setup) -> Answerer`, which ends in `VlmAnswerer(model, setup)`.

How a film is asked: every question is one prompt without history, a sequence of parts: text, and frames with their
seconds. A model writes each frame's second before it, as its family is used to (`Habits.stamp`): the parts hold it
only once, in `Frame.second`. Letters and yes or no are asked alike, with `choose`: "(A) yes (B) no".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from stage.types import Image

BoxUnit = Literal["thousandths", "pixels"]
"""Of the boxes that a family of models prints: 0 to 1000 of each side, or pixels of the picture that it got."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame of a film in a prompt."""

    image: Image
    """(height, width, 3), RGB, no longer than `Limits.longest_side`; sides are multiples of `Habits.grid`."""
    second: float


Part = str | Frame


@dataclass(frozen=True, slots=True)
class Limits:
    """What a prompt may hold."""

    frames: int = 16
    """The most frames of one prompt; 0 for a model that understands no pictures."""
    longest_side: int = 448
    """Of a frame, in pixels."""
    characters: int = 8000
    """The most characters of subtitles in one prompt."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What a family of models is trained to read and to print."""

    stamp: str = "Frame at {:.1f} seconds:"
    """What is written before a frame, with its second."""
    boxes: BoxUnit | None = None
    """None: it is not trained to print boxes."""
    spans: bool = False
    """Whether it is trained to print the start and the end of a moment, in seconds."""
    grid: int = 1
    """A frame's sides are multiples of it, so that the model does not resize the frame and its pixels are ours."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the letters a model would write next."""

    probabilities: tuple[float, ...] | None = None
    """One per letter, summing to 1, from the model's probabilities of the next token. None if they can't be had."""
    letter: int | None = None
    """Without probabilities: the letter that it wrote, as an index; None if it wrote none, or more than one."""
    notes: tuple[str, ...] = ()
    """Messages to the user: why there are no probabilities, or no letter."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote. Untrusted: see `stage.vlm.replies` for what can be read in it."""

    text: str
    whole: bool = True
    """False if it was cut off at the most tokens."""
    notes: tuple[str, ...] = ()
    """Messages to the user."""


class ChatModel(Protocol):
    """A vision-language model. All methods raise InputError, in one line, where nothing more can be asked of it."""

    @property
    def name(self) -> str:
        """What it is called in outputs, such as "vlm:Qwen/Qwen3-VL-2B-Instruct"; holds no key and no password."""

    @property
    def identity(self) -> str:
        """Identifies what it replies, for the cache of replies: the same model in another folder has the same."""

    @property
    def limits(self) -> Limits:
        """What a prompt may hold."""

    @property
    def habits(self) -> Habits:
        """What its family is trained to read and to print."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages to the user about the model itself, such as that it understands no pictures."""

    def choose(self, parts: Sequence[Part], letters: Sequence[str]) -> Choice:
        """Which of the letters comes next, for a prompt that asks to reply with one of them.

        letters: single capital letters, two or more.
        """

    def write(self, parts: Sequence[Part], most_tokens: int) -> Reply:
        """The model's reply, without sampling: the likeliest token each time."""
