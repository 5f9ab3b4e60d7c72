"""Rendering a setting as an image, with the boxes of what is visible."""

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
class DrawnFrame:
    """An image and its exact boxes."""

    image: Image
    """(360, 640, 3) RGB"""
    boxes: tuple[Box, ...]
    """Around the visible part of every character and object; labels are names and kinds of `world`. What is mostly
    occluded or outside the shot has none."""


def draw(setting: Setting) -> DrawnFrame:
    """Draw furniture first, then actors from back to front. The same setting gives the same pixels."""
    c = _stage(setting.place, setting.light, setting.props, setting.camera).copy()
    for actor in sorted(setting.actors, key=lambda a: a.y):
        draw_actor(c, actor)
    return DrawnFrame(c.image, c.boxes())


@lru_cache(maxsize=8)
def _stage(place: str, light: int, props: tuple[Prop, ...], camera: Camera) -> Canvas:
    """The place with its furniture, which are the same in all frames of a shot."""
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
