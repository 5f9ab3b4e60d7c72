"""What there is in the sitcom: the cast, the things, the places, and a stage setting at one instant.

The screenplay decides settings, the drawing turns a setting into a picture and boxes; this is all they share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WIDTH, HEIGHT = 640, 360

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
PLACES = tuple(FURNITURE)

Posture = Literal["stand", "walk", "sit", "wave"]
Mood = Literal["calm", "happy", "sad", "angry", "surprised"]


@dataclass(frozen=True, slots=True)
class Actor:
    """A character on the stage. Positions are stage pixels: a wide shot shows (0, 0) to (640, 360)."""

    name: str
    x: float
    """Where the feet are, from the left."""
    y: float = 340.0
    """Where the feet are, from the top: larger is nearer to the viewer, drawn larger and in front."""
    posture: Posture = "stand"
    facing: Literal[-1, 1] = 1
    holding: str | None = None
    """One of HELD."""
    wearing: str | None = None
    """One of WORN."""
    mood: Mood = "calm"
    talking: bool = False
    phase: float = 0.0
    """Where in the cycle of steps, gestures or mouth movements, in [0, 1)."""


@dataclass(frozen=True, slots=True)
class Prop:
    """A piece of furniture, or a held or worn thing that lies about; (x, y) is the middle of its bottom edge."""

    kind: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Camera:
    """What the shot shows: the stage around (x, y), enlarged. Zoom 1 at (320, 180) is the whole stage."""

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
    """Which of the place's colour schemes (wall, floor): any integer, taken modulo their number."""
