"""Shots: cuts are seen in pixels, and what moves is no cut."""

from __future__ import annotations

import numpy as np

from stage.zero_shot.shots import DIM, cuts, layout

DARK, LIGHT = np.full(DIM, 0.1, np.float32), np.full(DIM, 0.7, np.float32)


def test_the_layout_has_the_mean_colour_of_each_cell() -> None:
    image = np.zeros((80, 160, 3), np.uint8)
    image[:10, :20] = (255, 0, 51)
    found = layout(image).reshape(8, 8, 3)
    np.testing.assert_allclose(found[0, 0], (1, 0, 0.2), atol=1e-6)
    assert not found[1:].any()


def test_an_image_smaller_than_the_grid_has_a_layout() -> None:
    assert layout(np.full((3, 5, 3), 255, np.uint8)).tolist() == [1] * DIM


def test_a_cut_is_in_the_middle_between_two_unlike_frames() -> None:
    assert cuts(np.stack([DARK] * 5 + [LIGHT] * 5), range(1, 11)) == (5.5 / 3,)


def test_steady_motion_is_no_cut() -> None:
    shades = np.linspace(0, 1, 7)[:, None] * np.ones(DIM)  # a change of 0.167 from each frame to the next
    assert cuts(shades.astype(np.float32), range(1, 8)) == ()


def test_a_film_of_one_frame_has_no_cut() -> None:
    assert cuts(DARK[None], [1]) == ()
