"""Colours of the evidence page: light and dark theme, one per concept word.

Every ink and word colour has a contrast of at least 4.5 : 1 with its paper (WCAG AA). Neighbouring word colours
differ in lightness or along the blue-yellow axis, not only along the red-green one, for colour-blind readers; and a
word is always written next to its colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stage.annotation.vocabulary import normalise_word


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours in CSS syntax."""

    paper: str
    ink: str
    muted: str
    """Captions and axis labels."""
    hairline: str
    mark: str
    """Highlight of predictions, as red, green and blue values: it is drawn translucent over the paper."""
    right: str
    wrong: str
    words: tuple[str, ...]
    on_word: str
    """Text on a word's colour, and the halo around its box."""


SHADE = 0.5
"""Opacity of the highlight under a word with attention 1."""

LIGHT = Theme(
    paper="#fbfaf7",
    ink="#1c1c20",
    muted="#5e5b55",
    hairline="#dedad1",
    mark="236 172 0",
    right="#00694a",
    wrong="#a3341a",
    words=("#0a5fa5", "#b34708", "#006c4c", "#a32d77", "#775700", "#5a43b8", "#006675", "#7b4630"),
    on_word="#ffffff",
)
DARK = Theme(
    paper="#131417",
    ink="#eceae4",
    muted="#a8a59d",
    hairline="#34363c",
    mark="224 164 22",
    right="#4fd3a2",
    wrong="#ff9a7d",
    words=("#6db9f7", "#ff9660", "#46d3a1", "#f391c8", "#e6bf47", "#b7a7ff", "#55cddd", "#dba985"),
    on_word="#101114",
)


def word_colours(concepts: Sequence[str]) -> dict[str, int]:
    """Concept word (normalised) -> index of its colour; with many words colours are reused."""
    distinct = dict.fromkeys(map(normalise_word, concepts))
    return {word: i % len(LIGHT.words) for i, word in enumerate(distinct)}
