"""Drawing the six characters: looks, postures, moods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sin

from stage.sitcom.drawing.canvas import Canvas, Color
from stage.sitcom.drawing.things import HELD_THINGS, WORN_THINGS
from stage.sitcom.world import Actor

INK: Color = (44, 34, 34)
SEAT_HEIGHT = 30.0
"""How much lower the hips of a seated character are, in pixels at size 1."""


@dataclass(frozen=True, slots=True)
class Look:
    """The appearance by which a character is recognised."""

    skin: Color
    hair: Color
    top: Color
    bottom: Color
    shoes: Color
    style: str
    dress: bool = False


LOOKS = {
    "mia": Look((250, 212, 186), (110, 58, 30), (206, 44, 52), (40, 48, 84), (60, 40, 40), "long"),
    "leo": Look((164, 108, 72), (28, 24, 26), (46, 140, 78), (96, 98, 108), (30, 30, 34), "short"),
    "zoe": Look((255, 222, 200), (246, 206, 96), (128, 70, 176), (128, 70, 176), (90, 40, 120), "bun", True),
    "max": Look((244, 196, 168), (222, 96, 34), (40, 98, 190), (112, 82, 56), (70, 50, 36), "beard"),
    "ida": Look((112, 70, 48), (34, 22, 20), (248, 200, 44), (20, 128, 130), (240, 240, 240), "afro"),
    "sam": Look((234, 186, 150), (186, 186, 192), (60, 60, 70), (150, 150, 156), (40, 30, 26), "bald"),
}


def size_at(y: float) -> float:
    """The size of a character with feet at y: nearer ones are larger."""
    return 1.0 + (y - 340.0) / 260.0


@dataclass(frozen=True, slots=True)
class BodyCoordinates:
    """Maps a character's own coordinates (feet at 0, up is negative) to the stage."""

    x: float
    y: float
    s: float

    def __call__(self, dx: float, dy: float) -> tuple[float, float]:
        return self.x + dx * self.s, self.y + dy * self.s


def draw_actor(c: Canvas, actor: Actor) -> None:
    """Draw the character, then what it wears, then what it holds, each as a separate object."""
    s = size_at(actor.y)
    at = BodyCoordinates(actor.x, actor.y, s)
    seated = actor.posture == "sit"
    drop = SEAT_HEIGHT if seated else abs(sin(2 * pi * actor.phase)) * 2.5 if actor.posture == "walk" else 0.0
    with c.item(actor.name):
        _legs(c, at, actor, drop)
        body = BodyCoordinates(actor.x, actor.y + drop * s, s)
        _hair_behind(c, body, actor)
        _free_arm(c, body, actor)
        _torso(c, body, actor)
        _head(c, body, actor)
        hand = _holding_arm(c, body, actor)
    if actor.wearing:
        with c.item(actor.wearing):
            places = {"glasses": body(4 * actor.facing, -152), "scarf": body(0, -123)}
            x, y = places.get(actor.wearing, body(0, -172))
            WORN_THINGS[actor.wearing](c, x, y, s)
    if actor.holding and hand:
        with c.item(actor.holding):
            HELD_THINGS[actor.holding](c, *hand, 1.05 * s)


def _legs(c: Canvas, at: BodyCoordinates, actor: Actor, drop: float) -> None:
    look, f = LOOKS[actor.name], actor.facing
    hip = -66 + drop
    color = look.skin if look.dress else look.bottom
    if actor.posture == "sit":
        x, y = at(-24, hip + 6)
        c.rectangle(x, y, 48 * at.s, 8 * at.s, (150, 104, 66), 3 * at.s)
        for side in (-18, 18):
            c.line([at(side * 0.8, hip + 12), at(side, -2)], 5 * at.s, (122, 82, 50))
        for side in (-9, 9):
            knee = at(side + 26 * f, hip + 4)
            c.line([at(side, hip), knee, at(side + 28 * f, -6)], 15 * at.s, color)
            _shoe(c, at, side + 30 * f, f, look)
        return
    swing = sin(2 * pi * actor.phase) * 17 if actor.posture == "walk" else 0.0
    for side, move in ((-10, swing), (10, -swing)):
        c.line([at(side, hip), at(side + move * 0.4, -36), at(side + move, -7)], 16 * at.s, color)
        _shoe(c, at, side + move, f, look)


def _shoe(c: Canvas, at: BodyCoordinates, dx: float, facing: int, look: Look) -> None:
    x, y = at(dx + 4 * facing, -4)
    c.ellipse(x, y, 12 * at.s, 6 * at.s, look.shoes)


def _torso(c: Canvas, at: BodyCoordinates, actor: Actor) -> None:
    look = LOOKS[actor.name]
    x, y = at(-7, -132)
    c.rectangle(x, y, 14 * at.s, 18 * at.s, _shade(look.skin))
    c.polygon([at(-25, -112), at(-17, -121), at(17, -121), at(25, -112), at(22, -62), at(-22, -62)], look.top)
    if look.dress:
        flare, hem = (26, -52) if actor.posture == "sit" else (34, -34)
        c.polygon([at(-21, -80), at(21, -80), at(flare, hem), at(-flare, hem)], look.top)
    if look.style == "bald":  # a waistcoat's shirt and tie
        c.polygon([at(-8, -121), at(8, -121), at(0, -84)], (240, 240, 240))
        c.polygon([at(-3, -118), at(3, -118), at(4, -96), at(0, -90), at(-4, -96)], (200, 60, 60))
    if look.style == "short":  # a stripe
        c.polygon([at(-24, -100), at(24, -100), at(23, -90), at(-23, -90)], (226, 240, 228))
    if look.style == "afro":
        c.polygon([at(-23, -84), at(23, -84), at(22.5, -78), at(-22.5, -78)], (230, 110, 40))


def _free_arm(c: Canvas, at: BodyCoordinates, actor: Actor) -> None:
    look, f = LOOKS[actor.name], actor.facing
    sleeve, hand = _shade(look.top), look.skin
    if actor.posture == "wave":
        sway = sin(2 * pi * actor.phase) * 7
        elbow, palm = at(-40 * f, -128), at((-46 + sway) * f, -166)
    elif actor.posture == "sit":
        elbow, palm = at(-28 * f, -90), at(-14 * f, -66)
    else:
        swing = sin(2 * pi * actor.phase) * 10 if actor.posture == "walk" else 0.0
        elbow, palm = at(-28 * f + swing / 2, -92), at(-29 * f + swing, -66)
    c.line([at(-21 * f, -113), elbow, palm], 11 * at.s, sleeve)
    c.ellipse(*palm, 7 * at.s, 7 * at.s, hand)


def _holding_arm(c: Canvas, at: BodyCoordinates, actor: Actor) -> tuple[float, float] | None:
    """Draw the arm on the side that the character faces. Returns the centre of a held object."""
    look, f = LOOKS[actor.name], actor.facing
    if actor.holding is None:
        beat = sin(2 * pi * actor.phase) * 5 if actor.talking else 0.0
        elbow, palm = at(29 * f, -92), at((28 + (8 if actor.talking else 0)) * f, -68 - abs(beat) * 2)
        c.line([at(21 * f, -113), elbow, palm], 11 * at.s, look.top)
        c.ellipse(*palm, 7 * at.s, 7 * at.s, look.skin)
        return None
    low = actor.holding == "suitcase"
    elbow, palm = (at(30 * f, -90), at(34 * f, -62)) if low else (at(30 * f, -88), at(43 * f, -96))
    c.line([at(21 * f, -113), elbow, palm], 11 * at.s, look.top)
    c.ellipse(*palm, 7.5 * at.s, 7.5 * at.s, look.skin)
    return at(36 * f, -60) if low else at(49 * f, -103)


def _hair_behind(c: Canvas, at: BodyCoordinates, actor: Actor) -> None:
    look = LOOKS[actor.name]
    x, y = at(0, -150)
    if look.style == "long":
        c.ellipse(x, y, 29 * at.s, 28 * at.s, look.hair)
        c.rectangle(x - 29 * at.s, y, 58 * at.s, 46 * at.s, look.hair, 10 * at.s)
    elif look.style == "afro":
        c.ellipse(x, y - 8 * at.s, 40 * at.s, 36 * at.s, look.hair)
    elif look.style == "bun":
        c.ellipse(x, y - 30 * at.s, 14 * at.s, 13 * at.s, look.hair)


def _head(c: Canvas, at: BodyCoordinates, actor: Actor) -> None:
    look, s, f = LOOKS[actor.name], at.s, actor.facing
    x, y = at(0, -150)
    c.ellipse(x - 23 * s, y + 2 * s, 5 * s, 7 * s, _shade(look.skin))
    c.ellipse(x + 23 * s, y + 2 * s, 5 * s, 7 * s, _shade(look.skin))
    c.ellipse(x, y, 23 * s, 25 * s, look.skin)
    HAIR[look.style](c, x, y, s, look.hair)
    _face(c, x + 4 * f * s, y, s, actor, look)


def _face(c: Canvas, x: float, y: float, s: float, actor: Actor, look: Look) -> None:
    mood = actor.mood
    wide = 1.5 if mood == "surprised" else 1.0
    for side in (-1, 1):
        c.ellipse(x + side * 9 * s, y - 2 * s, 4.4 * s * wide, 4.6 * s * wide, (255, 255, 255))
        c.ellipse(x + side * 9 * s + actor.facing * s, y - 2 * s, 2.3 * s, 2.7 * s, INK)
        inner, outer = {"angry": (3.5, -2.5), "sad": (-3.5, 2.0), "surprised": (-5.0, -5.0)}.get(
            mood, (0.0, 0.0)
        )
        brow = y - 10 * s
        c.line([(x + side * 4 * s, brow + inner * s), (x + side * 15 * s, brow + outer * s)], 2.8 * s, INK)
    if mood == "sad":
        c.ellipse(x + 10 * s, y + 7 * s, 2.6 * s, 4.5 * s, (110, 190, 250))
    if mood == "angry":
        for side in (-1, 1):
            c.ellipse(x + side * 13 * s, y + 7 * s, 5.5 * s, 3.5 * s, (236, 96, 84))
    _mouth(c, x, y + 12 * s, s, actor)


def _mouth(c: Canvas, x: float, y: float, s: float, actor: Actor) -> None:
    red: Color = (150, 40, 44)
    if actor.mood == "surprised":
        c.ellipse(x, y + s, 5 * s, 6.5 * s, red)
    elif actor.mood == "happy":
        c.ellipse(x, y - 2.5 * s, 10 * s, (9 if actor.talking else 7.5) * s, red, 0, 180)
        c.rectangle(x - 7.5 * s, y - 2.5 * s, 15 * s, 3 * s, (255, 255, 255))
    elif actor.talking and sin(2 * pi * actor.phase * 2) > 0:
        c.ellipse(x, y, 6 * s, 4 * s, red)
    elif actor.mood == "sad":
        c.ellipse(x, y + 5 * s, 8 * s, 6 * s, red, 180, 360)
    elif actor.mood == "angry":
        c.rectangle(x - 8 * s, y - 1.5 * s, 16 * s, 4.5 * s, red, 2 * s)
        c.rectangle(x - 6 * s, y, 12 * s, 1.8 * s, (255, 255, 255))
    else:
        c.line([(x - 6 * s, y), (x, y + 2 * s), (x + 6 * s, y)], 2.6 * s, red)


def _long(c: Canvas, x: float, y: float, s: float, hair: Color) -> None:
    c.ellipse(x, y - 10 * s, 25 * s, 18 * s, hair, 180, 360)
    c.polygon([(x - 24 * s, y - 10 * s), (x - 24 * s, y + 14 * s), (x - 17 * s, y - 8 * s)], hair)
    c.polygon([(x + 24 * s, y - 10 * s), (x + 24 * s, y + 14 * s), (x + 17 * s, y - 8 * s)], hair)


def _short(c: Canvas, x: float, y: float, s: float, hair: Color) -> None:
    c.ellipse(x, y - 9 * s, 24.5 * s, 20 * s, hair, 180, 360)
    c.rectangle(x - 24 * s, y - 14 * s, 6 * s, 14 * s, hair)
    c.rectangle(x + 18 * s, y - 14 * s, 6 * s, 14 * s, hair)


def _bun(c: Canvas, x: float, y: float, s: float, hair: Color) -> None:
    c.ellipse(x, y - 9 * s, 25 * s, 20 * s, hair, 180, 360)
    c.ellipse(x - 14 * s, y - 11 * s, 10 * s, 6 * s, hair)


def _beard(c: Canvas, x: float, y: float, s: float, hair: Color) -> None:
    c.ellipse(x, y + 6 * s, 23.5 * s, 24 * s, hair, 8, 172)
    c.ellipse(x, y + 11 * s, 11 * s, 7 * s, (244, 196, 168))
    tips = [(-24, -6), (-26, -26), (-14, -24), (-9, -37), (0, -27), (9, -38), (15, -25), (26, -27)]
    points = [*tips, (24, -6), (14, -13), (-14, -13)]
    c.polygon([(x + dx * s, y + dy * s) for dx, dy in points], hair)


def _afro(c: Canvas, x: float, y: float, s: float, hair: Color) -> None:
    c.ellipse(x, y - 12 * s, 25 * s, 17 * s, hair, 180, 360)
    for side in (-1, 1):
        c.ellipse(x + side * 25 * s, y + 12 * s, 3.5 * s, 3.5 * s, (240, 200, 70))


def _bald(c: Canvas, x: float, y: float, s: float, hair: Color) -> None:
    for side in (-1, 1):
        c.ellipse(x + side * 22 * s, y - 4 * s, 6 * s, 10 * s, hair)
    c.ellipse(x, y + 7 * s, 11 * s, 4 * s, hair)


HAIR: dict[str, Callable[[Canvas, float, float, float, Color], None]] = {
    "long": _long, "short": _short, "bun": _bun, "beard": _beard, "afro": _afro, "bald": _bald,
}  # fmt: skip


def _shade(color: Color) -> Color:
    return int(color[0] * 0.86), int(color[1] * 0.86), int(color[2] * 0.86)
