"""Frames to regions: what every detector is to the rest of the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stage.features.text import load_text_encoder, without_digest
from stage.types import Image, Regions

REGIONS_A_FRAME = 20
"""The paper keeps the 20 best (Sec. 4.2)."""
PACKAGED_DETECTOR = "stage"
CONCEPTS = "concepts:"
"""What the names of visual concepts begin with; that of their text encoder follows."""


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


def load_detector(spec: str) -> RegionDetector:
    """The packaged detector ("stage"), or an object detector of transformers: a folder, or a name on the hub.

    "concepts:" and a text encoder: the packaged one's regions, described by the words of their labels. A detector's
    `name` is also a spec of it. Raises InputError if there is no such detector.
    """
    if spec.startswith(CONCEPTS):
        from stage.features.concepts import ConceptDetector

        return ConceptDetector(
            load_detector(PACKAGED_DETECTOR), load_text_encoder(spec.removeprefix(CONCEPTS))
        )
    if without_digest(spec) == PACKAGED_DETECTOR:
        from stage.features.detector import StageDetector

        return StageDetector.packaged()
    from stage.features.transformers_detector import TransformersDetector

    return TransformersDetector.load(without_digest(spec))
