"""A stage setting to a picture, and the boxes of what can be seen in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from stage.sitcom.drawing.canvas import Canvas
from stage.sitcom.drawing.furniture import PIECES
from stage.sitcom.drawing.people import draw_actor, size_at
from stage.sitcom.drawing.places import background
from stage.sitcom.drawing.things import HELD_THINGS, WORN_THINGS
from stage.sitcom.world import Camera, Prop, Setting
from stage.types import Box, Image


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture and its truth."""

    picture: Image
    """(360, 640, 3) RGB"""
    boxes: tuple[Box, ...]
    """Around what can be seen of every character and thing; labels are names and kinds of `world`. What is mostly
    hidden or out of the shot has none."""


def draw(setting: Setting) -> Drawn:
    """Furniture first, then actors from the back to the front; the same setting gives the same pixels."""
    c = _stage(setting.place, setting.light, setting.props, setting.camera).copy()
    for actor in sorted(setting.actors, key=lambda a: a.y):
        draw_actor(c, actor)
    return Drawn(c.picture, c.boxes())


@lru_cache(maxsize=8)
def _stage(place: str, light: int, props: tuple[Prop, ...], camera: Camera) -> Canvas:
    """The place with its furniture: the same in all pictures of a shot."""
    c = Canvas(camera, background(place, light, camera))
    for prop in props:
        with c.item(prop.kind):
            _draw_prop(c, prop)
    return c


def _draw_prop(c: Canvas, prop: Prop) -> None:
    if prop.kind in PIECES:
        PIECES[prop.kind](c, prop.x, prop.y)
    else:
        thing = HELD_THINGS.get(prop.kind) or WORN_THINGS[prop.kind]
        thing(c, prop.x, prop.y - 20, size_at(prop.y))
