"""Registry: text encoders and region detectors by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from stage.errors import InputError
from stage.features.names import (
    ONNX,
    PACKAGED_BERT,
    PACKAGED_DETECTOR,
    PACKAGED_GLOVE,
    PACKAGED_GLOVE_NAME,
    RELEASED_REGIONS,
    VISUAL_CONCEPTS,
    concept_parts,
    same_model,
    settings_in,
    weights_in,
    without_digest,
)
from stage.features.protocols import ImageTextEncoder, PhraseDetector, RegionDetector, TextEncoder
from stage.io import read_json

Named = TypeVar("Named", TextEncoder, RegionDetector, PhraseDetector, ImageTextEncoder)

DEFAULT_DETECTOR = "ustc-community/dfine-small-obj365"
"""For films of any kind, where it is on this machine or the hub can be reached."""
OPEN_VOCABULARY = frozenset(("owlvit", "owlv2", "grounding-dino", "mm-grounding-dino", "omdet-turbo"))
"""The model_type of transformers' detectors that are asked for phrases."""


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
    if kind == PACKAGED_BERT:
        from stage.features.text.minilm import MiniLm

        return MiniLm.packaged()
    from stage.features.text.bert import BertEncoder

    return _checked(BertEncoder.load(kind), spec)


def load_detector(spec: str, labels_from: RegionDetector | str | None = None) -> RegionDetector:
    """Load a detector with labels of its own. Its `name` is also a valid spec.

    "stage": the packaged one; "onnx:FILE" or "onnx:FILE:LABELS": an ONNX file, whose regions have no vectors; a
    folder or hub name: an object detector of transformers. "concepts:TEXT_ENCODER+DETECTOR": visual concepts, the
    words of the labels of any of these; without "+DETECTOR", of the packaged one.

    labels_from: the detector that finds the regions of visual concepts, in place of that in the spec. For other
    features there is no choice. Raises InputError if there is no such detector, or no choice.
    """
    if spec.startswith(VISUAL_CONCEPTS):
        from stage.features.regions.visual_concepts import ConceptDetector

        text, named = concept_parts(spec)
        found_by = labels_from or named or PACKAGED_DETECTOR
        detector = load_detector(found_by) if isinstance(found_by, str) else found_by
        inner = detector.detector if isinstance(detector, ConceptDetector) else detector
        return ConceptDetector(inner, load_text_encoder(text))
    if labels_from is not None:
        other = labels_from if isinstance(labels_from, str) else labels_from.name
        if without_digest(other) != without_digest(spec):
            raise InputError(
                f"{other}: can't take the place of the detector {without_digest(spec)}, whose vectors the model was "
                "trained on; only models of visual concepts read the labels of any detector"
            )
    if spec == RELEASED_REGIONS:
        raise InputError(
            f"{spec}: the authors' released features exist as files only and can't be computed from a film; "
            "use this model with a folder of them, with `stage predict`"
        )
    if without_digest(spec) == PACKAGED_DETECTOR:
        from stage.features.regions.packaged import StageDetector

        return StageDetector.packaged()
    if spec.startswith(ONNX):
        from stage.features.regions.onnx_detector import OnnxDetector

        return _checked(OnnxDetector.load(without_digest(spec).removeprefix(ONNX)), spec)
    from stage.features.regions.transformers_detector import TransformersDetector

    source = _located(spec)
    if Path(source).suffix == ".onnx":
        raise InputError(
            f"{spec}: is an ONNX file; name it {ONNX}{spec}, or {ONNX}{spec}:LABELS with its labels"
        )
    if kind_of_detector(source) == "phrases":
        raise InputError(
            f"{spec}: is an open-vocabulary detector, which finds what it is asked for and has no labels of its own; "
            "here give one with labels, such as an ONNX file or D-FINE"
        )
    return _checked(TransformersDetector.load(source), spec)


def cache_name(detector: RegionDetector) -> str:
    """Identifies all that decides about a detector's regions, for caches.

    For models it is `name`, by which visual concepts are the same whichever detector has found them.
    """
    return str(getattr(detector, "cache_name", detector.name))


def detector_notes(detector: RegionDetector) -> tuple[str, ...]:
    """Messages to the user about what a detector has put out so far, such as boxes that had to be left out."""
    return tuple(getattr(detector, "notes", ()))


def kind_of_detector(spec: str) -> Literal["labels", "phrases"]:
    """Whether a detector has labels of its own, or is asked for phrases. No weights are loaded.

    Of a model of the hub, config.json is downloaded unless it was before. Raises InputError if that fails.
    """
    source = without_digest(spec)
    if source == PACKAGED_DETECTOR or spec.startswith((ONNX, VISUAL_CONCEPTS)):
        return "labels"
    from stage.features.hub import CONFIG, configuration, is_hub_name

    path = configuration(source) if is_hub_name(source) else Path(source) / CONFIG
    config = read_json(path) if path.is_file() else None  # what is wrong is reported when it is loaded
    kind = config.get("model_type") if isinstance(config, dict) else None
    return "phrases" if kind in OPEN_VOCABULARY else "labels"


def default_detector() -> tuple[RegionDetector | None, str]:
    """The detector for films of any kind: D-FINE small, with the 365 labels of Objects365, and a note on it.

    None, and the reason, where it was not downloaded before and the hub can't be reached, which takes a few seconds.
    """
    from stage.features.hub import downloaded, out_of_reach

    if not downloaded(DEFAULT_DETECTOR) and (reason := out_of_reach(DEFAULT_DETECTOR)):
        return None, f"{DEFAULT_DETECTOR} was not downloaded, and the hub can't be reached ({reason})"
    try:
        return load_detector(DEFAULT_DETECTOR), f"objects are found by {DEFAULT_DETECTOR}"
    except InputError as error:
        return None, str(error)


def load_phrase_detector(spec: str) -> PhraseDetector:
    """Load an open-vocabulary detector of transformers: a folder or a hub name. Its `name` is also a valid spec.

    Raises InputError if there is no such detector, or it has labels of its own.
    """
    if without_digest(spec) == PACKAGED_DETECTOR or spec.startswith((ONNX, VISUAL_CONCEPTS)):
        raise InputError(
            f"{spec}: is a detector with labels of its own, which can't be asked for words; here give an "
            "open-vocabulary one, such as OWLv2 or Grounding DINO"
        )
    from stage.features.regions.open_vocabulary import OpenVocabularyDetector

    return _checked(OpenVocabularyDetector.load(_located(spec)), spec)


def load_image_text_encoder(spec: str) -> ImageTextEncoder:
    """Load an image-text encoder of transformers (SigLIP, CLIP): a folder or a hub name. Its `name` is a spec too.

    Raises InputError if there is no such encoder.
    """
    from stage.features.image_text import ImageTextModel

    return _checked(ImageTextModel.load(_located(spec)), spec)


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
        settings = (
            "labels or preparation" if spec.startswith(ONNX) else "configuration, tokenizer or preparation"
        )
        what = "weights" if other else f"{settings} of images"
        now = weights_in(loaded.name) if other else settings_in(loaded.name)
        raise InputError(
            f"{spec}: the {what} in {folder} are others now ({now}); restore them, or use that model as {folder} and "
            "compute its features again"
        )
    return loaded
