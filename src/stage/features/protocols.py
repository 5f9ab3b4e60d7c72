"""What text encoders, region detectors and sources of features are to the rest of the project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

from stage.errors import InputError
from stage.types import Array, Clip, Image, Question, Regions

REGIONS_A_FRAME = 20
"""The best regions of a frame that are kept: the paper keeps 20 (Sec. 4.2)."""


class TextEncoder(Protocol):
    """Gives every word of a text a vector."""

    @property
    def name(self) -> str:
        """What identifies the vectors: encoders of the same name give the same. `load_text_encoder` takes it."""

    @property
    def dim(self) -> int:
        """Size of a word's vector."""

    def encode(self, texts: Sequence[str]) -> list[Array]:
        """For each text an array (words, dim): one row for each of its blank-separated words."""


class RegionDetector(Protocol):
    """Finds the best regions of frames, and describes each with a vector."""

    @property
    def name(self) -> str:
        """What identifies the features: detectors of the same name give the same. `load_detector` takes it."""

    @property
    def dim(self) -> int:
        """Size of a region's vector."""

    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """The best regions of each image, best first, in pixels of that image; one at least."""


@dataclass(frozen=True, slots=True)
class FeatureAttributes:
    """What the features of a store are of."""

    text: str = ""
    """Name of the text encoder; empty where there are no word vectors yet."""
    text_dim: int = 0
    regions: str = ""
    """Name of the region detector; empty where there are no regions yet."""
    region_dim: int = 0
    found_by: Literal["text", "name"] = "text"
    """How word vectors are found: by the text itself, or by the name of the question or sentence, where the same
    text has other vectors elsewhere (as in the released features)."""

    def joined(self, other: FeatureAttributes, where: Path) -> FeatureAttributes:
        """What both say. Raises InputError if they are of different encoders."""
        if any(a and b and a != b for a, b in ((self.text, other.text), (self.regions, other.regions))):
            raise InputError(
                f"{where}: holds features of {self.text or 'no words'} and {self.regions or 'no regions'}, not of "
                f"{other.text or 'words'} and {other.regions or 'regions'}; remove it to make them anew"
            )
        text, regions = (self if self.text else other), (self if self.regions else other)
        return FeatureAttributes(text.text, text.text_dim, regions.regions, regions.region_dim, text.found_by)

    @property
    def digest(self) -> str:
        """A short name of this combination, for folders."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


class FeatureSource(Protocol):
    """Vectors of words and regions. Each method raises InputError naming what is missing."""

    @property
    def attributes(self) -> FeatureAttributes:
        """Which encoders the vectors are of, and their sizes."""

    def hypotheses(self, question: Question) -> list[Array]:
        """For each candidate, the words of question and answer: (words, D_text)."""

    def sentences(self, clip: Clip) -> Sequence[Array]:
        """For each sentence of a clip: (words, D_text)."""

    def regions(self, clip: Clip, frames: Iterable[int]) -> Mapping[int, Regions]:
        """Numbered frame -> its regions, best first, of those of `frames` that there are."""
