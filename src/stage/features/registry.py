"""Registry: text encoders and region detectors by name."""

from __future__ import annotations

from pathlib import Path

from stage.errors import InputError
from stage.features.names import (
    PACKAGED_BERT,
    PACKAGED_DETECTOR,
    PACKAGED_GLOVE,
    PACKAGED_GLOVE_NAME,
    RELEASED_REGIONS,
    VISUAL_CONCEPTS,
    without_digest,
)
from stage.features.protocols import RegionDetector, TextEncoder


def load_text_encoder(spec: str) -> TextEncoder:
    """Load the packaged BERT ("minilm") or GloVe ("glove"), a GloVe text file, or a BERT folder or hub name.

    An encoder's `name` is also a valid spec. Only a hub name uses the network. Raises InputError if there is no
    such encoder.
    """
    kind = PACKAGED_GLOVE if spec == PACKAGED_GLOVE_NAME else without_digest(spec)
    if kind == PACKAGED_GLOVE or Path(kind).is_file():
        from stage.features.text.glove import GloveEncoder

        return GloveEncoder.packaged() if kind == PACKAGED_GLOVE else GloveEncoder.read(Path(kind))
    from stage.features.text.bert import BertEncoder

    return BertEncoder.packaged() if kind == PACKAGED_BERT else BertEncoder.load(kind)


def load_detector(spec: str) -> RegionDetector:
    """Load the packaged detector ("stage"), or an object detector of transformers: a folder or a hub name.

    "concepts:" followed by the spec of a text encoder: visual concepts, with the regions of the packaged detector.
    A detector's `name` is also a valid spec. Raises InputError if there is no such detector.
    """
    if spec.startswith(VISUAL_CONCEPTS):
        from stage.features.regions.visual_concepts import ConceptDetector

        return ConceptDetector(
            load_detector(PACKAGED_DETECTOR), load_text_encoder(spec.removeprefix(VISUAL_CONCEPTS))
        )
    if spec == RELEASED_REGIONS:
        raise InputError(
            f"{spec}: the authors' released features exist as files only and can't be computed from a film; "
            "use this model with a folder of them, with `stage predict`"
        )
    if without_digest(spec) == PACKAGED_DETECTOR:
        from stage.features.regions.packaged import StageDetector

        return StageDetector.packaged()
    from stage.features.regions.transformers_detector import TransformersDetector

    return TransformersDetector.load(without_digest(spec))
