"""Text is readable in the light and the dark theme."""

from __future__ import annotations

import pytest

from stage.page.colours import DARK, LIGHT, SHADE, Theme


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks_for(theme: Theme) -> None:
    on_paper = [theme.ink, theme.muted, theme.right, theme.wrong, *theme.words]
    mark = tuple(int(x) for x in theme.mark.split())
    shaded = tuple(p + SHADE * (m - p) for m, p in zip(mark, rgb(theme.paper), strict=True))
    assert min(contrast(rgb(colour), rgb(theme.paper)) for colour in on_paper) >= 4.5
    assert min(contrast(rgb(colour), rgb(theme.on_word)) for colour in theme.words) >= 4.5
    assert contrast(rgb(theme.ink), shaded) >= 4.5


def rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
