"""Drawing furniture: (x, y) is the middle of a piece's bottom edge."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

from stage.sitcom.drawing.canvas import Canvas, Color

DARK: Color = (50, 50, 58)
SILVER: Color = (206, 212, 220)


def fridge(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 40, y - 170, 80, 170, (232, 238, 242), 8)
    c.rectangle(x - 40, y - 112, 80, 4, (160, 168, 176))
    c.rectangle(x + 24, y - 156, 6, 34, (130, 136, 146), 3)
    c.rectangle(x + 24, y - 98, 6, 50, (130, 136, 146), 3)


def stove(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 46, y - 96, 92, 96, (70, 76, 86), 5)
    c.rectangle(x - 36, y - 62, 72, 46, (30, 30, 36), 5)
    c.rectangle(x - 28, y - 54, 56, 28, (240, 140, 60), 4)
    for i in range(4):
        c.ellipse(x - 30 + 20 * i, y - 78, 5.5, 5.5, (230, 60, 50))
    c.ellipse(x - 20, y - 97, 18, 4, DARK)
    c.ellipse(x + 22, y - 97, 18, 4, DARK)


def table(c: Canvas, x: float, y: float) -> None:
    for dx in (-62, 50):
        c.rectangle(x + dx, y - 66, 12, 66, (120, 76, 44))
    c.rectangle(x - 76, y - 78, 152, 14, (176, 116, 66), 4)
    c.rectangle(x - 30, y - 79, 60, 24, (236, 236, 240), 3)


def sofa(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 92, y - 86, 184, 70, (42, 120, 128), 18)
    c.rectangle(x - 104, y - 60, 34, 56, (34, 100, 108), 12)
    c.rectangle(x + 70, y - 60, 34, 56, (34, 100, 108), 12)
    c.rectangle(x - 76, y - 44, 74, 34, (66, 150, 156), 8)
    c.rectangle(x + 2, y - 44, 74, 34, (66, 150, 156), 8)
    for dx in (-90, 78):
        c.rectangle(x + dx, y - 8, 12, 8, (70, 48, 34))


def television(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 50, y - 34, 100, 34, (128, 88, 60), 3)
    c.rectangle(x - 6, y - 44, 12, 12, DARK)
    c.rectangle(x - 60, y - 112, 120, 70, (26, 26, 32), 5)
    c.rectangle(x - 54, y - 106, 108, 58, (70, 130, 200))
    c.polygon([(x - 54, y - 48), (x - 14, y - 84), (x + 26, y - 48)], (240, 240, 250))
    c.ellipse(x + 32, y - 90, 9, 9, (250, 220, 90))


def lamp(c: Canvas, x: float, y: float) -> None:
    c.ellipse(x, y - 4, 24, 6, (90, 70, 56))
    c.rectangle(x - 3, y - 130, 6, 128, (90, 70, 56))
    c.polygon([(x - 18, y - 172), (x + 18, y - 172), (x + 34, y - 122), (x - 34, y - 122)], (252, 226, 130))


def bed(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 116, y - 104, 16, 104, (122, 78, 50), 5)
    c.rectangle(x + 104, y - 66, 14, 66, (122, 78, 50), 5)
    c.rectangle(x - 104, y - 44, 212, 34, (236, 236, 244), 6)
    c.rectangle(x - 46, y - 52, 152, 36, (96, 120, 200), 8)
    c.ellipse(x - 76, y - 52, 26, 14, (255, 255, 255))


def wardrobe(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 56, y - 190, 112, 190, (150, 104, 70), 4)
    c.rectangle(x - 50, y - 182, 48, 172, (176, 128, 90), 3)
    c.rectangle(x + 2, y - 182, 48, 172, (176, 128, 90), 3)
    c.ellipse(x - 8, y - 92, 4, 4, (60, 40, 30))
    c.ellipse(x + 8, y - 92, 4, 4, (60, 40, 30))


def mirror(c: Canvas, x: float, y: float) -> None:
    c.polygon([(x - 26, y), (x - 18, y), (x - 4, y - 40), (x - 12, y - 40)], (190, 150, 60))
    c.polygon([(x + 26, y), (x + 18, y), (x + 4, y - 40), (x + 12, y - 40)], (190, 150, 60))
    c.ellipse(x, y - 98, 40, 72, (206, 164, 70))
    c.ellipse(x, y - 98, 33, 64, (206, 232, 240))
    c.polygon([(x - 16, y - 84), (x + 8, y - 138), (x + 15, y - 132), (x - 8, y - 76)], (240, 250, 255))


def desk(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 84, y - 80, 168, 12, (206, 170, 120), 2)
    c.rectangle(x - 80, y - 68, 50, 68, (184, 146, 98))
    for row in range(3):
        c.rectangle(x - 62, y - 58 + 22 * row, 14, 5, DARK)
    c.rectangle(x + 68, y - 68, 10, 68, (184, 146, 98))


def computer(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 34, y - 8, 68, 8, SILVER, 3)
    c.rectangle(x - 6, y - 22, 12, 16, (150, 156, 166))
    c.rectangle(x - 40, y - 76, 80, 56, (60, 62, 72), 5)
    c.rectangle(x - 34, y - 70, 68, 44, (30, 200, 140))
    for row in range(4):
        c.rectangle(x - 28, y - 64 + 9 * row, 44 - 8 * (row % 2), 4, (220, 255, 236))


def bookcase(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 54, y - 186, 108, 186, (104, 66, 42), 3)
    colors: tuple[Color, ...] = (
        (206, 70, 60),
        (60, 120, 190),
        (240, 190, 70),
        (80, 160, 100),
        (150, 90, 170),
    )
    for shelf in range(4):
        c.rectangle(x - 47, y - 178 + 44 * shelf, 94, 38, (60, 38, 26))
        for i in range(8):
            height = 26 + (i * 7 + shelf * 5) % 10
            c.rectangle(x - 45 + 11.5 * i, y - 140 + 44 * shelf - height, 10, height, colors[(i + shelf) % 5])


def tree(c: Canvas, x: float, y: float) -> None:
    c.polygon([(x - 13, y), (x + 13, y), (x + 8, y - 110), (x - 8, y - 110)], (118, 78, 50))
    for dx, dy, r in ((-40, -128, 40), (40, -128, 40), (0, -170, 48), (0, -118, 44)):
        c.ellipse(x + dx, y + dy, r, r * 0.9, (44, 132, 66))
    for dx, dy in ((-34, -140), (22, -176), (38, -124), (-6, -122)):
        c.ellipse(x + dx, y + dy, 13, 10, (76, 164, 86))


def bench(c: Canvas, x: float, y: float) -> None:
    for dx in (-76, 66):
        c.rectangle(x + dx, y - 84, 10, 84, (70, 74, 80))
    for dy in (-84, -66, -42):
        c.rectangle(x - 92, y + dy, 184, 12, (190, 128, 72), 3)


def fountain(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 8, y - 84, 16, 70, (176, 182, 190))
    c.ellipse(x, y - 84, 36, 9, (196, 202, 210))
    for side in (-1, 1):
        points = [
            (x + side * (3 + 28 * t), y - 92 - 44 * sin(pi * t) + 20 * t) for t in (0, 0.25, 0.5, 0.75, 1)
        ]
        c.line(points, 5, (120, 196, 240))
    c.polygon([(x - 84, y - 34), (x + 84, y - 34), (x + 70, y), (x - 70, y)], (186, 190, 198))
    c.ellipse(x, y - 34, 84, 13, (206, 210, 218))
    c.ellipse(x, y - 34, 74, 9, (110, 190, 236))


def car(c: Canvas, x: float, y: float) -> None:
    c.polygon([(x - 62, y - 56), (x - 40, y - 98), (x + 38, y - 98), (x + 70, y - 56)], (206, 40, 44))
    c.polygon([(x - 50, y - 58), (x - 34, y - 90), (x - 4, y - 90), (x - 4, y - 58)], (190, 228, 246))
    c.polygon([(x + 4, y - 58), (x + 4, y - 90), (x + 33, y - 90), (x + 54, y - 58)], (190, 228, 246))
    c.rectangle(x - 112, y - 60, 224, 44, (216, 48, 50), 14)
    c.ellipse(x + 104, y - 44, 8, 7, (255, 240, 170))
    for dx in (-66, 66):
        c.ellipse(x + dx, y - 19, 21, 19, (34, 34, 40))
        c.ellipse(x + dx, y - 19, 10, 9, (200, 204, 210))


def bicycle(c: Canvas, x: float, y: float) -> None:
    for dx in (-42, 42):
        ring = [(x + dx + 29 * cos(2 * pi * i / 14), y - 29 + 28 * sin(2 * pi * i / 14)) for i in range(15)]
        c.line(ring, 5, (36, 36, 42))
    paint: Color = (250, 140, 30)
    c.line(
        [(x - 42, y - 29), (x - 12, y - 66), (x + 30, y - 66), (x - 2, y - 29), (x - 42, y - 29)], 5, paint
    )
    c.line([(x - 2, y - 29), (x - 14, y - 76)], 5, paint)
    c.line([(x + 42, y - 29), (x + 28, y - 82), (x + 42, y - 86)], 5, paint)
    c.rectangle(x - 26, y - 80, 24, 7, DARK, 3)


def sign(c: Canvas, x: float, y: float) -> None:
    c.rectangle(x - 4, y - 150, 8, 150, (130, 136, 144))
    points = [(x + 36 * cos(pi / 8 + i * pi / 4), y - 152 + 36 * sin(pi / 8 + i * pi / 4)) for i in range(8)]
    c.polygon(points, (250, 250, 250))
    inner = [(x + 31 * cos(pi / 8 + i * pi / 4), y - 152 + 31 * sin(pi / 8 + i * pi / 4)) for i in range(8)]
    c.polygon(inner, (30, 90, 190))
    c.rectangle(x - 20, y - 157, 40, 10, (250, 250, 250))


PIECES: dict[str, Callable[[Canvas, float, float], None]] = {
    "fridge": fridge, "stove": stove, "table": table, "sofa": sofa, "television": television, "lamp": lamp,
    "bed": bed, "wardrobe": wardrobe, "mirror": mirror, "desk": desk, "computer": computer,
    "bookcase": bookcase, "tree": tree, "bench": bench, "fountain": fountain, "car": car, "bicycle": bicycle,
    "sign": sign,
}  # fmt: skip

"""What a character can sit on: standing its feet at the same x, in front of the piece."""
