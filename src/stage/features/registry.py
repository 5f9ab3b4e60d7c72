"""Registry: text encoders and region detectors by name."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from stage.errors import InputError
from stage.features.names import (
    PACKAGED_BERT,
    PACKAGED_DETECTOR,
    PACKAGED_GLOVE,
    PACKAGED_GLOVE_NAME,
    RELEASED_REGIONS,
    VISUAL_CONCEPTS,
    same_model,
    settings_in,
    weights_in,
    without_digest,
)
from stage.features.protocols import RegionDetector, TextEncoder

Named = TypeVar("Named", TextEncoder, RegionDetector)


def load_text_encoder(spec: str) -> TextEncoder:
    """Load the packaged BERT ("minilm") or GloVe ("glove"), a GloVe text file, or a BERT folder or hub name.

    An encoder's `name` is also a valid spec. Only a hub name uses the network. Raises InputError if there is no
    such encoder, or that of a name with a digest has other weights or settings now.
    """
    kind = PACKAGED_GLOVE if spec == PACKAGED_GLOVE_NAME else without_digest(spec)
    if kind not in (PACKAGED_GLOVE, PACKAGED_BERT):
        kind = _located(spec)
    if kind == PACKAGED_GLOVE or Path(kind).is_file():
        from stage.features.text.glove import GloveEncoder

        if kind == PACKAGED_GLOVE:
            return GloveEncoder.packaged()
        return _checked(GloveEncoder.read(Path(kind)), spec)
    from stage.features.text.bert import BertEncoder

    return BertEncoder.packaged() if kind == PACKAGED_BERT else _checked(BertEncoder.load(kind), spec)


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

    return _checked(TransformersDetector.load(_located(spec)), spec)


def _located(spec: str) -> str:
    """The path or hub name to load. A model whose path is gone is looked for in the current folder by its last part.

    Raises InputError if a name with a digest is of no file or folder: it was one, so it can't be on the hub.
    """
    source = without_digest(spec)
    if Path(source).exists() or source == spec:
        return source
    moved = Path(source).name
    if moved and Path(moved).exists():  # its digest is compared when it is loaded
        return moved
    raise InputError(
        f"{spec}: {source} does not exist any more; move it back, or start from the folder that contains {moved}"
    )


def _checked(loaded: Named, spec: str) -> Named:
    """Raises InputError if `spec` is a name with a digest that is not the one of what was loaded."""
    expected = None if Path(spec).exists() else weights_in(spec)
    if expected and not same_model(spec, loaded.name):
        folder, other = without_digest(loaded.name), expected != weights_in(loaded.name)
        what = "weights" if other else "configuration, tokenizer or preparation of images"
        now = weights_in(loaded.name) if other else settings_in(loaded.name)
        raise InputError(
            f"{spec}: the {what} in {folder} are others now ({now}); restore them, or use that model as {folder} and "
            "compute its features again"
        )
    return loaded
