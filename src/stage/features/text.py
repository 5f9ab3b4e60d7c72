"""Words to vectors: what every text encoder is to the rest of the project."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from stage.types import Array

PACKAGED_BERT, PACKAGED_GLOVE = "minilm", "glove"
PACKAGED_GLOVE_NAME = f"{PACKAGED_GLOVE}@6B-50d"


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


def without_digest(name: str) -> str:
    """What an encoder or detector was loaded from: its name without a digest ("minilm@53aa51172d14")."""
    return name if Path(name).exists() else re.sub(r"@[0-9a-f]{12}$", "", name)


def load_text_encoder(spec: str) -> TextEncoder:
    """The packaged BERT ("minilm") or GloVe ("glove"), a GloVe text file, or a BERT (folder, or name on the hub).

    An encoder's `name` is also a spec of it. Only a hub name reaches for a network. Raises InputError if there is
    no such encoder.
    """
    kind = PACKAGED_GLOVE if spec == PACKAGED_GLOVE_NAME else without_digest(spec)
    if kind == PACKAGED_GLOVE or Path(kind).is_file():
        from stage.features.glove import GloveEncoder

        return GloveEncoder.packaged() if kind == PACKAGED_GLOVE else GloveEncoder.read(Path(kind))
    from stage.features.bert import BertEncoder

    return BertEncoder.packaged() if kind == PACKAGED_BERT else BertEncoder.load(kind)
