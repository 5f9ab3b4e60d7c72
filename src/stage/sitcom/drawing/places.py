"""Drawing the backgrounds of the six places."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from stage.sitcom.drawing.canvas import Canvas, Color
from stage.sitcom.world import HEIGHT, WIDTH, Camera
from stage.types import Image

HORIZON = 262.0
"""Upper edge of the floor, from the top of the stage."""

# Colours of wall (or sky) and floor of each place, in three lights.
SCHEMES: dict[str, tuple[tuple[Color, Color], ...]] = {
    "kitchen": (
        ((250, 232, 196), (196, 170, 140)),
        ((214, 236, 228), (176, 160, 146)),
        ((252, 222, 214), (170, 150, 130)),
    ),
    "living room": (
        ((204, 220, 236), (164, 122, 90)),
        ((236, 222, 204), (140, 100, 76)),
        ((212, 230, 210), (176, 136, 100)),
    ),
    "bedroom": (
        ((228, 216, 240), (190, 160, 150)),
        ((214, 226, 246), (170, 140, 120)),
        ((250, 226, 232), (180, 150, 130)),
    ),
    "office": (
        ((232, 234, 238), (150, 156, 166)),
        ((220, 230, 226), (134, 142, 150)),
        ((240, 234, 222), (160, 160, 160)),
    ),
    "park": (
        ((168, 216, 246), (132, 196, 96)),
        ((250, 214, 176), (150, 180, 84)),
        ((196, 214, 226), (112, 170, 92)),
    ),
    "street": (
        ((190, 220, 244), (150, 152, 158)),
        ((246, 222, 190), (140, 138, 140)),
        ((204, 208, 216), (128, 130, 136)),
    ),
}


@lru_cache(maxsize=64)
def background(place: str, light: int, camera: Camera) -> Image:
    """The empty stage in a shot, (HEIGHT, WIDTH, 3). The array is cached: copy it before drawing on it."""
    c = Canvas(camera)
    schemes = SCHEMES[place]
    wall, floor = schemes[light % len(schemes)]
    c.rectangle(0, 0, WIDTH, HORIZON + 2, wall)
    c.rectangle(0, HORIZON, WIDTH, HEIGHT - HORIZON, floor)
    BACKDROPS[place](c, wall, floor)
    return c.image


def _kitchen(c: Canvas, wall: Color, floor: Color) -> None:
    for x in range(0, WIDTH, 40):
        for y in (150, 190, 230):
            c.rectangle(x + 1, y + 1, 38, 38, _mix(wall, (255, 255, 255), 0.45))
    c.rectangle(0, 40, WIDTH, 58, _mix(wall, (150, 96, 60), 0.5), 4)
    for x in range(10, WIDTH, 90):
        c.rectangle(x, 46, 80, 46, _mix(wall, (180, 126, 84), 0.55), 4)
        c.ellipse(x + 70, 82, 3, 3, (240, 230, 210))
    _tiles(c, floor)


def _living_room(c: Canvas, wall: Color, floor: Color) -> None:
    _stripes(c, wall)
    _window(c, 60, 60, (190, 226, 250))
    _picture(c, 300, 70, (226, 130, 90))
    _picture(c, 500, 80, (90, 140, 170))
    _planks(c, floor)
    c.ellipse(320, 330, 250, 24, _mix(floor, (190, 70, 80), 0.5))


def _bedroom(c: Canvas, wall: Color, floor: Color) -> None:
    for x in range(20, WIDTH, 64):
        for y in range(30, int(HORIZON), 56):
            c.ellipse(x + (28 if (y // 56) % 2 else 0), y, 5, 5, _mix(wall, (255, 255, 255), 0.6))
    _window(c, 420, 50, (60, 70, 120))
    c.ellipse(500, 96, 14, 14, (250, 240, 190))
    _planks(c, floor)


def _office(c: Canvas, wall: Color, floor: Color) -> None:
    for x in (40, 250, 460):
        c.rectangle(x, 40, 150, 110, (176, 214, 240))
        for y in range(46, 150, 12):
            c.rectangle(x, y, 150, 6, (238, 242, 246))
    c.rectangle(0, HORIZON - 8, WIDTH, 8, _mix(wall, (80, 80, 90), 0.4))
    _tiles(c, floor)


def _park(c: Canvas, sky: Color, grass: Color) -> None:
    c.ellipse(560, 60, 30, 30, (255, 236, 150))
    for x, y in ((110, 60), (340, 44)):
        for dx, puff in ((-26, 18), (0, 26), (28, 19)):
            c.ellipse(x + dx, y, puff * 1.2, puff, (255, 255, 255))
    for x, r in ((90, 190), (400, 240), (650, 170)):
        c.ellipse(x, HORIZON + 40, r, 110, _mix(grass, (60, 130, 80), 0.45))
    c.rectangle(0, HORIZON, WIDTH, HEIGHT - HORIZON, grass)
    for i in range(26):
        left, foot = (i * 97) % WIDTH, HORIZON + 12 + (i * 41) % 84
        c.polygon([(left, foot), (left + 4, foot - 9), (left + 8, foot)], _mix(grass, (40, 110, 50), 0.4))


def _street(c: Canvas, sky: Color, pavement: Color) -> None:
    houses: tuple[Color, ...] = ((196, 120, 96), (224, 196, 150), (150, 170, 180), (206, 160, 140))
    for i, color in enumerate(houses):
        x = i * 165 - 10
        height = 190 + (i * 53) % 50
        c.rectangle(x, HORIZON - height, 160, height, color)
        for row in range(3):
            for column in range(3):
                c.rectangle(x + 16 + column * 48, HORIZON - height + 18 + row * 56, 32, 38, (232, 240, 200))
    c.rectangle(0, HORIZON, WIDTH, 30, _mix(pavement, (255, 255, 255), 0.3))
    for x in range(20, WIDTH, 110):
        c.rectangle(x, 336, 60, 6, (250, 246, 220))


def _stripes(c: Canvas, wall: Color) -> None:
    for x in range(0, WIDTH, 48):
        c.rectangle(x, 0, 22, HORIZON, _mix(wall, (255, 255, 255), 0.3))


def _planks(c: Canvas, floor: Color) -> None:
    for y in range(int(HORIZON), HEIGHT, 20):
        c.rectangle(0, y, WIDTH, 2, _mix(floor, (60, 40, 30), 0.25))


def _tiles(c: Canvas, floor: Color) -> None:
    _planks(c, floor)
    for x in range(-60, WIDTH + 120, 70):
        c.line(
            [(320 + (x - 320) * 0.8, HORIZON), (320 + (x - 320) * 1.25, HEIGHT)],
            2,
            _mix(floor, (60, 50, 40), 0.25),
        )


def _window(c: Canvas, x: float, y: float, sky: Color) -> None:
    c.rectangle(x - 7, y - 7, 134, 114, (250, 248, 242))
    c.rectangle(x, y, 120, 100, sky)
    c.rectangle(x + 57, y, 6, 100, (250, 248, 242))
    c.rectangle(x, y + 47, 120, 6, (250, 248, 242))


def _picture(c: Canvas, x: float, y: float, color: Color) -> None:
    c.rectangle(x - 4, y - 4, 78, 58, (110, 84, 60))
    c.rectangle(x, y, 70, 50, (248, 244, 232))
    c.ellipse(x + 35, y + 30, 24, 15, color)


BACKDROPS: dict[str, Callable[[Canvas, Color, Color], None]] = {
    "kitchen": _kitchen, "living room": _living_room, "bedroom": _bedroom, "office": _office, "park": _park,
    "street": _street,
}  # fmt: skip


def _mix(a: Color, b: Color, share: float) -> Color:
    mixed = [round(p * (1 - share) + q * share) for p, q in zip(a, b, strict=True)]
    return mixed[0], mixed[1], mixed[2]
