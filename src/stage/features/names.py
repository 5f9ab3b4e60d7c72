"""Names of encoders and detectors: what stores, model folders and users call them.

A model in a file is named PATH@WEIGHTS, one in a folder PATH@WEIGHTS-SETTINGS: its absolute path with symbolic links
resolved, and the first 12 hexadecimal digits of the SHA-256 of its weights and of its settings, which are what else
decides about features: configuration, tokenizer, preparation of images. So every spelling of a path gives the same
name. The digests identify the features and the path says where to find the model: two names with the same digests are
names of the same model, also if its folder has moved. An ONNX file is named onnx:PATH@WEIGHTS-SETTINGS, or
onnx:PATH:LABELS@WEIGHTS-SETTINGS if the file of its labels was named, too. Older versions stored relative paths, and
of folders the digest of the weights alone: such a name stands for every model with these weights. Other names (of the
hub, of the authors' features) are compared as they are.
"""

from __future__ import annotations

import re
from pathlib import Path

PACKAGED_BERT, PACKAGED_GLOVE = "minilm", "glove"
PACKAGED_GLOVE_NAME = f"{PACKAGED_GLOVE}@6B-50d"
PACKAGED_DETECTOR = "stage"
VISUAL_CONCEPTS = "concepts:"
"""Prefix of the names of visual concepts; the name of their text encoder follows. A spec may go on with "+" and that
of a detector; their name, by which models are compared, never does."""
ONNX = "onnx:"
"""Prefix of the names of detectors in ONNX files."""
RELEASED_TEXT, RELEASED_REGIONS = "tvqa-release/text", "tvqa-release/regions"
"""The authors' released features. They exist as files only and can't be computed from a film."""
DIGESTS = re.compile(r"@([0-9a-f]{12})(?:-([0-9a-f]{12}))?$")


def name_of_file(path: Path, weights: str, settings: str = "") -> str:
    """The name of the model in a file or folder. weights, settings: their SHA-256, in hexadecimal."""
    return with_digests(str(path.resolve()), weights, settings)


def with_digests(source: str, weights: str, settings: str = "") -> str:
    """A name from what the model is loaded from and the SHA-256 of its weights and settings, in hexadecimal."""
    return f"{source}@{weights[:12]}{f'-{settings[:12]}' if settings else ''}"


def concept_parts(spec: str) -> tuple[str, str]:
    """The text encoder and the detector in a spec of visual concepts; the detector is empty if none is named.

    At the first "+" behind a text encoder that exists, since paths may contain that sign.
    """
    text = spec.removeprefix(VISUAL_CONCEPTS)
    cuts = [i for i, sign in enumerate(text) if sign == "+"]
    if not cuts or Path(without_digest(text)).exists():
        return text, ""
    known = (PACKAGED_BERT, PACKAGED_GLOVE)
    exists = (i for i in cuts if (kind := without_digest(text[:i])) in known or Path(kind).exists())
    cut = next(exists, cuts[0])
    return text[:cut], text[cut + 1 :]


def without_digest(name: str) -> str:
    """What an encoder or detector is loaded from: its name without the digest, "minilm" for "minilm@53aa51172d14"."""
    return name if Path(name).exists() else DIGESTS.sub("", name)


def weights_in(name: str) -> str | None:
    """The digest of the weights in a name, "53aa51172d14" for "minilm@53aa51172d14"; None for other names."""
    found = DIGESTS.search(name)
    return found[1] if found else None


def settings_in(name: str) -> str | None:
    """The digest of the settings in a name; None if there is none."""
    found = DIGESTS.search(name)
    return found[2] if found else None


def identity_of(name: str) -> str:
    """What stays the same of a name when the model moves: the digest of its weights, or else the name itself."""
    prefix = VISUAL_CONCEPTS if name.startswith(VISUAL_CONCEPTS) else ""
    return prefix + (weights_in(name) or name.removeprefix(prefix))


def same_model(first: str, second: str) -> bool:
    """Whether two names are of the same encoder or detector, that is of the same features."""
    if first.startswith(VISUAL_CONCEPTS) != second.startswith(VISUAL_CONCEPTS):
        return False
    if first == second:
        return True
    same_weights = weights_in(first) == weights_in(second) is not None
    return same_weights and len({settings_in(first), settings_in(second)} - {None}) < 2


def current_name(stored: str, given: str) -> str:
    """Of two names of the same model, the one to store: where it is now. A packaged model keeps its name.

    given: the name of the model as loaded, or an empty string if it isn't.
    """
    kind = DIGESTS.sub("", stored.removeprefix(VISUAL_CONCEPTS))
    return stored if not given or kind in (PACKAGED_BERT, PACKAGED_DETECTOR) else given
