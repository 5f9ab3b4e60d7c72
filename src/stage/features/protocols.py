"""Interfaces of text encoders, detectors, image-text encoders and feature sources."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from stage.errors import InputError
from stage.features.names import current_name, identity_of, same_model
from stage.types import Array, Box, Clip, Image, Question, Regions

REGIONS_PER_FRAME = 20
"""The best regions of a frame, which are kept (Sec. 4.2)."""


class TextEncoder(Protocol):
    """Encodes every word of a text as a vector."""

    @property
    def name(self) -> str:
        """Identifies the vectors, see `stage.features.names`. `load_text_encoder` accepts it."""

    @property
    def dim(self) -> int:
        """Size of a word's vector."""

    def encode(self, texts: Sequence[str]) -> list[Array]:
        """For each text an array (words, dim), one row per space-separated word."""


class RegionDetector(Protocol):
    """Detects the regions of frames and encodes each as a vector."""

    @property
    def name(self) -> str:
        """Identifies the features, see `stage.features.names`. `load_detector` accepts it."""

    @property
    def dim(self) -> int:
        """Size of a region's feature vector."""

    def detect(self, images: Sequence[Image]) -> list[Regions]:
        """The best regions of each image, at least one, best first; boxes in pixels of that image."""


class PhraseDetector(Protocol):
    """Finds in images what free text names: an open-vocabulary detector."""

    @property
    def name(self) -> str:
        """Identifies the boxes, see `stage.features.names`. `load_phrase_detector` accepts it."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages to the user about the phrases so far, such as one that was too long and was shortened."""

    def find(self, images: Sequence[Image], phrases: Sequence[str]) -> list[list[tuple[Box, ...]]]:
        """For each image and each phrase the boxes found, best first; there may be none.

        Boxes are in pixels of that image, with the phrase as label and a score in [0, 1]. What is found for a phrase
        doesn't depend on the other phrases. Scores of different detectors can't be compared.
        """


class ImageTextEncoder(Protocol):
    """Encodes images and texts as vectors of one space, in which a text is near the images that it describes."""

    @property
    def name(self) -> str:
        """Identifies the vectors, see `stage.features.names`. `load_image_text_encoder` accepts it."""

    @property
    def dim(self) -> int:
        """Size of a vector."""

    @property
    def logit_scale(self) -> float:
        """What the cosine of an image and a text is multiplied with, as learned in training; larger than 0."""

    @property
    def logit_bias(self) -> float | None:
        """What is added then, where each pair is judged by itself with a sigmoid (SigLIP).

        None where the texts of an image are compared with one another by a softmax (CLIP).
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages to the user about the texts so far, such as one that was too long and was cut."""

    def images(self, images: Sequence[Image]) -> Array:
        """(images, dim), each row of unit length. Images may be of any sizes."""

    def texts(self, texts: Sequence[str]) -> Array:
        """(texts, dim), each row of unit length."""


@dataclass(frozen=True, slots=True)
class FeatureAttributes:
    """The encoder and detector that the features of a store were computed with."""

    text: str = ""
    """Name of the text encoder; empty if there are no word vectors yet."""
    text_dim: int = 0
    regions: str = ""
    """Name of the region detector; empty if there are no regions yet."""
    region_dim: int = 0
    found_by: Literal["text", "name"] = "text"
    """Key of word vectors: the text itself, or the name of the question or sentence, if the same text has different
    vectors in different contexts (as in the released features)."""

    @classmethod
    def from_json(cls, raw: Mapping[str, object]) -> FeatureAttributes:
        """From an object of the fields. Raises TypeError or ValueError if it doesn't describe features."""
        attributes = cls(**raw)  # type: ignore[arg-type]
        names, sizes = (attributes.text, attributes.regions), (attributes.text_dim, attributes.region_dim)
        if not all(isinstance(name, str) for name in names) or attributes.found_by not in ("text", "name"):
            raise ValueError("a name is not a text")
        if any(type(size) is not int or size < 0 for size in sizes):
            raise ValueError("a size is not a number")
        return attributes

    def joined(self, other: FeatureAttributes, path: Path) -> FeatureAttributes:
        """The union of both. path: of the store. Raises InputError if encoders or detectors differ."""
        named = ((self.text, other.text), (self.regions, other.regions))
        if any(a and b and not same_model(a, b) for a, b in named):
            raise InputError(
                f"{path}: contains features of {self.text or 'no words'} and {self.regions or 'no regions'}, not of "
                f"{other.text or 'words'} and {other.regions or 'regions'}; remove it to compute them again"
            )
        text, regions = (self if self.text else other), (self if self.regions else other)
        text_name, regions_name = (current_name(stored, given) for stored, given in named)
        return FeatureAttributes(text_name, text.text_dim, regions_name, regions.region_dim, text.found_by)

    @property
    def digest(self) -> str:
        """A hash of all attributes, as the name of a folder."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def identity(self) -> str:
        """A hash of all attributes that stays when an encoder's folder moves: its weights count, not its path."""
        return replace(self, text=identity_of(self.text), regions=identity_of(self.regions)).digest


class FeatureSource(Protocol):
    """Provides word vectors and region features. Each method raises InputError naming what is missing."""

    @property
    def attributes(self) -> FeatureAttributes:
        """The encoder and detector that the features are of, and their sizes."""

    def fingerprint(self, clips: Iterable[str]) -> str:
        """A hash of the attributes and of the regions of these clips, cheaply: it need not read their features."""

    def hypotheses(self, question: Question) -> list[Array]:
        """For each candidate, the words of question and answer: (words, D_text)."""

    def sentences(self, clip: Clip) -> Sequence[Array]:
        """For each sentence of a clip: (words, D_text)."""

    def regions(self, clip: Clip, frames: Iterable[int]) -> Mapping[int, Regions]:
        """Numbered frame -> its regions, best first; none for a frame in which a detector has found none.

        Raises InputError naming the clip and those of the frames that no detector has seen.
        """

    def all_regions(self, clip: Clip) -> Mapping[int, Regions]:
        """Numbered frame -> its regions, for all frames of a clip that a detector has seen."""
