"""The sitcom's cast, objects and places, and a setting: the scene at one instant.

The screenplay determines settings, and the drawing renders a setting as an image with boxes; they share nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WIDTH, HEIGHT = 640, 360
"""Of the stage and of frames, in pixels."""

CAST = ("mia", "leo", "zoe", "max", "ida", "sam")

HELD = (
    "mug", "book", "phone", "guitar", "umbrella", "apple", "camera", "ball",
    "balloon", "flower", "bottle", "pizza", "trophy", "suitcase",
)  # fmt: skip
WORN = ("hat", "scarf", "glasses", "crown", "helmet")

FURNITURE = {
    "kitchen": ("fridge", "stove", "table"),
    "living room": ("sofa", "television", "lamp"),
    "bedroom": ("bed", "wardrobe", "mirror"),
    "office": ("desk", "computer", "bookcase"),
    "park": ("tree", "bench", "fountain"),
    "street": ("car", "bicycle", "sign"),
}
"""Place -> its kinds of furniture."""
PLACES = tuple(FURNITURE)

Posture = Literal["stand", "walk", "sit", "wave"]
Mood = Literal["calm", "happy", "sad", "angry", "surprised"]


@dataclass(frozen=True, slots=True)
class Actor:
    """A character on the stage. Positions are stage pixels: a wide shot shows (0, 0) to (640, 360)."""

    name: str
    x: float
    """Position of the feet, from the left."""
    y: float = 340.0
    """Position of the feet, from the top: larger is nearer to the viewer, drawn larger and in front."""
    posture: Posture = "stand"
    facing: Literal[-1, 1] = 1
    """Left or right."""
    holding: str | None = None
    """One of HELD."""
    wearing: str | None = None
    """One of WORN."""
    mood: Mood = "calm"
    talking: bool = False
    phase: float = 0.0
    """Position in the cycle of steps, gestures or mouth movements, in [0, 1)."""


@dataclass(frozen=True, slots=True)
class Prop:
    """A piece of furniture, or an object that nobody holds or wears; (x, y) is the middle of its bottom edge."""

    kind: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Camera:
    """A shot of the stage: centred at (x, y), enlarged by `zoom`. Zoom 1 at (320, 180) shows the whole stage."""

    x: float = WIDTH / 2
    y: float = HEIGHT / 2
    zoom: float = 1.0


@dataclass(frozen=True, slots=True)
class Setting:
    """The stage at one instant, as the camera sees it."""

    place: str
    actors: tuple[Actor, ...]
    props: tuple[Prop, ...]
    camera: Camera = Camera()
    light: int = 0
    """Index of the place's colour scheme (wall, floor), taken modulo their number."""
