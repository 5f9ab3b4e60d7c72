"""Drawing the objects that characters hold and wear."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, radians, sin

from stage.sitcom.drawing.canvas import Canvas, Color

DARK: Color = (38, 38, 46)
WHITE: Color = (246, 244, 238)
GOLD: Color = (236, 186, 52)

Thing = Callable[[Canvas, float, float, float], None]
"""Draws an object around (x, y), at a size."""


def mug(c: Canvas, x: float, y: float, s: float) -> None:
    c.ellipse(x + 13 * s, y, 10 * s, 10 * s, (226, 74, 58))
    c.ellipse(x + 13 * s, y, 5.5 * s, 5.5 * s, WHITE)
    c.rectangle(x - 15 * s, y - 17 * s, 27 * s, 34 * s, (226, 74, 58), 4 * s)
    c.rectangle(x - 15 * s, y - 5 * s, 27 * s, 8 * s, WHITE)
    c.ellipse(x - 1.5 * s, y - 16 * s, 12 * s, 3.5 * s, (96, 56, 34))


def book(c: Canvas, x: float, y: float, s: float) -> None:
    c.polygon(
        [(x - 24 * s, y - 17 * s), (x, y - 11 * s), (x, y + 19 * s), (x - 24 * s, y + 13 * s)], (36, 88, 178)
    )
    c.polygon(
        [(x + 24 * s, y - 17 * s), (x, y - 11 * s), (x, y + 19 * s), (x + 24 * s, y + 13 * s)], (52, 112, 206)
    )
    c.polygon([(x - 20 * s, y - 14 * s), (x, y - 9 * s), (x, y + 14 * s), (x - 20 * s, y + 9 * s)], WHITE)
    c.polygon(
        [(x + 20 * s, y - 14 * s), (x, y - 9 * s), (x, y + 14 * s), (x + 20 * s, y + 9 * s)], (230, 228, 220)
    )
    for row in range(3):
        c.line(
            [(x - 16 * s, y - 7 * s + row * 5 * s), (x - 4 * s, y - 4 * s + row * 5 * s)],
            1.5 * s,
            (150, 150, 160),
        )


def phone(c: Canvas, x: float, y: float, s: float) -> None:
    c.rectangle(x - 12 * s, y - 21 * s, 24 * s, 42 * s, DARK, 5 * s)
    c.rectangle(x - 9 * s, y - 16 * s, 18 * s, 29 * s, (108, 222, 240))
    c.ellipse(x, y + 17 * s, 2.2 * s, 2.2 * s, WHITE)


def guitar(c: Canvas, x: float, y: float, s: float) -> None:
    c.line([(x - 8 * s, y + 8 * s), (x + 30 * s, y - 26 * s)], 6 * s, (84, 52, 30))
    c.line([(x + 26 * s, y - 23 * s), (x + 35 * s, y - 31 * s)], 11 * s, DARK)
    c.ellipse(x - 15 * s, y + 14 * s, 19 * s, 17 * s, (214, 128, 44))
    c.ellipse(x + 1 * s, y, 14 * s, 13 * s, (214, 128, 44))
    c.ellipse(x - 5 * s, y + 5 * s, 6.5 * s, 6.5 * s, (70, 40, 22))
    c.line([(x - 22 * s, y + 20 * s), (x + 28 * s, y - 25 * s)], 1.6 * s, WHITE)


def umbrella(c: Canvas, x: float, y: float, s: float) -> None:
    c.line([(x, y + 14 * s), (x, y - 44 * s)], 3.5 * s, (92, 66, 50))
    c.ellipse(x, y - 34 * s, 36 * s, 30 * s, (196, 40, 140), 180, 360)
    c.polygon([(x - 12 * s, y - 34 * s), (x, y - 64 * s), (x + 12 * s, y - 34 * s)], (238, 120, 198))


def apple(c: Canvas, x: float, y: float, s: float) -> None:
    c.line([(x, y - 10 * s), (x + 3 * s, y - 20 * s)], 3 * s, (98, 62, 34))
    c.ellipse(x - 5 * s, y + 2 * s, 12 * s, 14 * s, (130, 196, 40))
    c.ellipse(x + 5 * s, y + 2 * s, 12 * s, 14 * s, (130, 196, 40))
    c.ellipse(x + 10 * s, y - 16 * s, 8 * s, 3.5 * s, (40, 130, 60))
    c.ellipse(x - 8 * s, y - 3 * s, 3 * s, 4.5 * s, (206, 238, 150))


def camera(c: Canvas, x: float, y: float, s: float) -> None:
    c.rectangle(x - 11 * s, y - 20 * s, 18 * s, 10 * s, (92, 96, 106), 2 * s)
    c.rectangle(x - 22 * s, y - 14 * s, 44 * s, 30 * s, (120, 126, 138), 4 * s)
    c.rectangle(x - 22 * s, y - 4 * s, 44 * s, 12 * s, DARK)
    c.ellipse(x, y + 1 * s, 12 * s, 12 * s, WHITE)
    c.ellipse(x, y + 1 * s, 9 * s, 9 * s, (44, 60, 110))
    c.ellipse(x - 3 * s, y - 2 * s, 3 * s, 3 * s, (170, 200, 250))
    c.ellipse(x + 16 * s, y - 10 * s, 2.5 * s, 2.5 * s, (230, 60, 50))


def ball(c: Canvas, x: float, y: float, s: float) -> None:
    colors: tuple[Color, ...] = ((232, 62, 58), WHITE, (46, 116, 214), WHITE, (250, 200, 50), WHITE)
    c.ellipse(x, y, 20 * s, 20 * s, WHITE)
    for i, color in enumerate(colors):
        turn = range(i * 60, i * 60 + 61, 12)
        slice_ = [(x, y)] + [(x + 20 * s * cos(radians(t)), y + 20 * s * sin(radians(t))) for t in turn]
        c.polygon(slice_, color)
    c.ellipse(x, y, 4 * s, 4 * s, WHITE)


def balloon(c: Canvas, x: float, y: float, s: float) -> None:
    c.line([(x, y + 6 * s), (x + 3 * s, y - 12 * s), (x, y - 26 * s)], 1.8 * s, (90, 90, 90))
    c.ellipse(x, y - 50 * s, 20 * s, 25 * s, (250, 120, 160))
    c.polygon([(x - 5 * s, y - 22 * s), (x + 5 * s, y - 22 * s), (x, y - 28 * s)], (220, 84, 130))
    c.ellipse(x - 7 * s, y - 58 * s, 4 * s, 7 * s, (255, 204, 220))


def flower(c: Canvas, x: float, y: float, s: float) -> None:
    c.line([(x, y + 16 * s), (x, y - 16 * s)], 3.5 * s, (52, 140, 62))
    c.ellipse(x + 8 * s, y + 2 * s, 8 * s, 4 * s, (70, 164, 76))
    for turn in range(0, 360, 60):
        c.ellipse(
            x + 10 * s * cos(radians(turn)),
            y - 22 * s + 10 * s * sin(radians(turn)),
            7.5 * s,
            7.5 * s,
            (250, 250, 250),
        )
    c.ellipse(x, y - 22 * s, 7.5 * s, 7.5 * s, (250, 190, 40))


def bottle(c: Canvas, x: float, y: float, s: float) -> None:
    c.rectangle(x - 4.5 * s, y - 32 * s, 9 * s, 20 * s, (30, 118, 74), 2 * s)
    c.rectangle(x - 11 * s, y - 16 * s, 22 * s, 38 * s, (34, 134, 84), 6 * s)
    c.rectangle(x - 11 * s, y - 4 * s, 22 * s, 14 * s, (244, 226, 150))
    c.rectangle(x - 5.5 * s, y - 35 * s, 11 * s, 5 * s, (190, 150, 90), 1.5 * s)


def pizza(c: Canvas, x: float, y: float, s: float) -> None:
    c.polygon([(x - 24 * s, y - 16 * s), (x + 24 * s, y - 16 * s), (x, y + 26 * s)], (250, 208, 96))
    c.line([(x - 23 * s, y - 16 * s), (x + 23 * s, y - 16 * s)], 9 * s, (190, 122, 54))
    for dx, dy in ((-9, -4), (8, -5), (0, 9)):
        c.ellipse(x + dx * s, y + dy * s, 5 * s, 5 * s, (206, 52, 40))


def trophy(c: Canvas, x: float, y: float, s: float) -> None:
    c.ellipse(x, y - 14 * s, 22 * s, 9 * s, GOLD)
    c.ellipse(x, y - 14 * s, 16 * s, 5.5 * s, (140, 104, 20))
    c.ellipse(x, y - 22 * s, 16 * s, 30 * s, GOLD, 0, 180)
    c.rectangle(x - 3 * s, y + 4 * s, 6 * s, 12 * s, (204, 152, 32))
    c.rectangle(x - 13 * s, y + 14 * s, 26 * s, 8 * s, (96, 64, 40), 2 * s)
    c.ellipse(x - 6 * s, y - 10 * s, 3 * s, 9 * s, (255, 234, 160))


def suitcase(c: Canvas, x: float, y: float, s: float) -> None:
    c.rectangle(x - 9 * s, y - 4 * s, 18 * s, 12 * s, (72, 46, 30), 4 * s)
    c.rectangle(x - 5 * s, y, 10 * s, 8 * s, (190, 180, 170))
    c.rectangle(x - 26 * s, y + 5 * s, 52 * s, 36 * s, (150, 92, 48), 4 * s)
    c.rectangle(x - 17 * s, y + 5 * s, 6 * s, 36 * s, (108, 64, 34))
    c.rectangle(x + 11 * s, y + 5 * s, 6 * s, 36 * s, (108, 64, 34))
    c.rectangle(x - 4 * s, y + 9 * s, 8 * s, 6 * s, GOLD)


def hat(c: Canvas, x: float, y: float, s: float) -> None:
    """(x, y) is the top of the head, as for everything worn except scarf and glasses."""
    c.rectangle(x - 18 * s, y - 22 * s, 36 * s, 32 * s, (70, 54, 48), 6 * s)
    c.rectangle(x - 18 * s, y, 36 * s, 7 * s, (214, 70, 54))
    c.rectangle(x - 32 * s, y + 6 * s, 64 * s, 7 * s, (70, 54, 48), 3 * s)


def crown(c: Canvas, x: float, y: float, s: float) -> None:
    points = [(-22, 12), (-24, -16), (-11, -3), (0, -22), (11, -3), (24, -16), (22, 12)]
    c.polygon([(x + dx * s, y + dy * s) for dx, dy in points], GOLD)
    for dx, color in ((-12, (214, 40, 60)), (0, (50, 110, 220)), (12, (40, 160, 90))):
        c.ellipse(x + dx * s, y + 6 * s, 3.6 * s, 3.6 * s, color)


def helmet(c: Canvas, x: float, y: float, s: float) -> None:
    c.ellipse(x, y + 14 * s, 28 * s, 27 * s, (48, 170, 226), 180, 360)
    c.rectangle(x - 5 * s, y - 13 * s, 10 * s, 27 * s, WHITE, 4 * s)
    c.rectangle(x - 30 * s, y + 11 * s, 60 * s, 7 * s, (30, 120, 172), 3 * s)


def scarf(c: Canvas, x: float, y: float, s: float) -> None:
    """(x, y) is the throat."""
    c.rectangle(x - 21 * s, y - 6 * s, 42 * s, 14 * s, (230, 60, 60), 6 * s)
    c.rectangle(x + 4 * s, y + 2 * s, 14 * s, 38 * s, (230, 60, 60), 3 * s)
    for row in range(3):
        c.rectangle(x + 4 * s, y + (10 + row * 10) * s, 14 * s, 5 * s, WHITE)
    for dx in (-15, -5):
        c.rectangle(x + dx * s, y - 6 * s, 5 * s, 14 * s, WHITE)


def glasses(c: Canvas, x: float, y: float, s: float) -> None:
    """(x, y) is between the eyes."""
    for side in (-1, 1):
        c.ellipse(x + side * 10 * s, y, 9.5 * s, 8.5 * s, (20, 20, 24))
        c.ellipse(x + side * 10 * s, y, 6.8 * s, 6 * s, (186, 226, 246))
        c.ellipse(x + side * 10 * s, y, 2.4 * s, 2.8 * s, (20, 20, 24))
    c.rectangle(x - 3 * s, y - 2 * s, 6 * s, 3.4 * s, (20, 20, 24))


HELD_THINGS: dict[str, Thing] = {
    "mug": mug, "book": book, "phone": phone, "guitar": guitar, "umbrella": umbrella, "apple": apple,
    "camera": camera, "ball": ball, "balloon": balloon, "flower": flower, "bottle": bottle, "pizza": pizza,
    "trophy": trophy, "suitcase": suitcase,
}  # fmt: skip
WORN_THINGS: dict[str, Thing] = {
    "hat": hat, "scarf": scarf, "glasses": glasses, "crown": crown, "helmet": helmet,
}  # fmt: skip
