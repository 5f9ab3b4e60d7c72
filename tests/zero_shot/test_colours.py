"""Colours by name: pixels, parts of people, black bars."""

from __future__ import annotations

import numpy as np
import pytest

from stage.zero_shot.colours import NAMES, PARTS, colour_in, colour_names, picture_shares, region_shares

NUMBER = {part: number for number, part in enumerate(PARTS)}


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((5, 5, 5), "black"), ((250, 250, 250), "white"), ((128, 128, 128), "grey"), ((200, 20, 20), "red"),
        ((240, 130, 20), "orange"), ((240, 220, 30), "yellow"), ((30, 150, 40), "green"), ((30, 60, 200), "blue"),
        ((140, 40, 180), "purple"), ((245, 130, 180), "pink"), ((110, 70, 30), "brown"), ((224, 172, 140), "skin"),
    ],
)  # fmt: skip
def test_clear_colours_have_the_name_that_people_give_them(rgb: tuple[int, int, int], name: str) -> None:
    assert NAMES[int(colour_names(np.uint8([rgb]))[0])] == name


def test_other_words_for_colours_have_the_nearest_basic_name() -> None:
    assert [colour_in(word) for word in ("gray", "navy", "blond", "red", "table")] == [
        "grey", "blue", "yellow", "red", None,
    ]  # fmt: skip


def test_shares_of_a_picture_leave_black_bars_out() -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    image[10:30, :40], image[10:30, 40:] = (200, 20, 20), (30, 60, 200)
    found = picture_shares(image)
    assert found[NAMES.index("red")] == found[NAMES.index("blue")] == pytest.approx(0.5)
    assert found[NAMES.index("black")] == 0


def test_a_black_picture_is_black() -> None:
    assert picture_shares(np.zeros((8, 8, 3), np.uint8))[NAMES.index("black")] == 1


def test_parts_of_a_standing_person_have_the_colours_of_hat_shirt_and_trousers() -> None:
    image = np.full((200, 100, 3), 250, np.uint8)
    image[20:52, 30:70] = (30, 150, 40)  # the upper fifth of 160 pixels
    image[52:100, 30:70] = (200, 20, 20)
    image[100:180, 30:70] = (30, 60, 200)
    found = region_shares(image, (30, 20, 70, 180))
    top, upper, lower = (found[NUMBER[part]] for part in ("top", "upper", "lower"))
    assert top[NAMES.index("green")] == upper[NAMES.index("red")] == lower[NAMES.index("blue")] == 1


def test_of_a_person_who_is_cut_off_the_shirt_is_at_the_lower_edge_and_trousers_are_not_seen() -> None:
    image = np.full((100, 120, 3), 250, np.uint8)
    image[48:, :] = (200, 20, 20)  # a square region: 2.4 times as tall, its shirt begins at 48
    found = region_shares(image, (10, 0, 110, 100))
    assert found[NUMBER["upper"], NAMES.index("red")] == 1
    assert found[NUMBER["lower"]].sum() == 0


def test_a_region_outside_the_picture_has_shares_all_the_same() -> None:
    found = region_shares(np.full((10, 10, 3), 128, np.uint8), (20, 20, 30, 30))
    assert np.isfinite(found).all()
