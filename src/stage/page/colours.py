"""The page's colours: for each theme its paper and ink, and a colour for each concept word.

Every ink and word colour has a contrast of at least 4.5 : 1 with its paper (WCAG AA). Neighbouring word colours
differ in lightness or in the blue-yellow direction as well as in the red-green one, which many people don't see;
and a word is always written beside its colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as CSS writes them."""

    paper: str
    ink: str
    muted: str
    """Captions and axis labels."""
    hairline: str
    mark: str
    """What the model predicts, as red green blue numbers: laid over the paper in part."""
    right: str
    wrong: str
    words: tuple[str, ...]
    on_word: str
    """Text on a ground of a word's colour, and the halo round its box."""


SHADE = 0.5
"""How much of the mark's colour covers the paper under a word that is attended to in full."""

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
    """Concept word in lower case -> number of its colour, from 0; with many words colours come round again."""
    distinct = dict.fromkeys(word.lower() for word in concepts)
    return {word: i % len(LIGHT.words) for i, word in enumerate(distinct)}
