"""Scenes are drawn as their annotation says."""

from __future__ import annotations

import numpy as np
import pytest

from stage.sitcom.drawing.scene import draw
from stage.sitcom.world import CAST, FURNITURE, HELD, PLACES, WORN, Actor, Camera, Prop, Setting

STAGE = Setting("kitchen", (Actor("mia", 320),), (Prop("fridge", 80, 270),))


def test_every_kind_has_a_box_when_nothing_hides_it() -> None:
    for place in PLACES:
        for kind in FURNITURE[place]:
            assert [b.label for b in draw(Setting(place, (), (Prop(kind, 320, 270),))).boxes] == [kind]
    for name, thing in [(n, t) for n in CAST for t in (*HELD, *WORN)]:
        actor = Actor(
            name, 320, holding=thing if thing in HELD else None, wearing=thing if thing in WORN else None
        )
        assert [b.label for b in draw(Setting("park", (actor,), ())).boxes] == [name, thing]


def test_boxes_are_tight_around_what_is_drawn() -> None:
    empty = draw(Setting("kitchen", (), STAGE.props)).image
    drawn = draw(STAGE)
    changed = (drawn.image != empty).any(axis=2)
    box = next(b for b in drawn.boxes if b.label == "mia")
    columns, rows = changed.any(0).nonzero()[0], changed.any(1).nonzero()[0]
    assert np.allclose(box.corners, (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), atol=2)


def test_hidden_things_and_those_out_of_the_shot_have_no_box() -> None:
    behind = Setting("kitchen", (Actor("leo", 322, y=334), Actor("ida", 320, y=346)), ())
    assert "leo" not in {b.label for b in draw(behind).boxes}
    left = Setting("kitchen", STAGE.actors, STAGE.props, Camera(600, 200, 3.0))
    assert {b.label for b in draw(left).boxes} == set()


def test_zooming_in_enlarges_boxes() -> None:
    wide = next(b for b in draw(STAGE).boxes if b.label == "mia")
    zoomed = Setting("kitchen", STAGE.actors, (), Camera(320, 250, 1.5))
    near = next(b for b in draw(zoomed).boxes if b.label == "mia")
    assert near.right - near.left == pytest.approx(1.5 * (wide.right - wide.left), abs=3)


def test_the_same_setting_gives_the_same_pixels() -> None:
    assert np.array_equal(draw(STAGE).image, draw(STAGE).image)
