"""Words to vectors: what every text encoder is to the rest of the project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from stage.types import Array

PACKAGED_BERT, PACKAGED_GLOVE = "minilm", "glove"


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


def load_text_encoder(spec: str) -> TextEncoder:
    """The packaged BERT ("minilm") or GloVe ("glove"), a GloVe text file, or a BERT (folder, or name on the hub).

    An encoder's `name` is also a spec of it. Only a hub name reaches for a network. Raises InputError if there is
    no such encoder.
    """
    kind = spec.partition("@")[0]
    if kind == PACKAGED_GLOVE or Path(kind).is_file():
        from stage.features.glove import GloveEncoder

        return GloveEncoder.packaged() if kind == PACKAGED_GLOVE else GloveEncoder.read(Path(kind))
    from stage.features.bert import BertEncoder

    return BertEncoder.packaged() if kind == PACKAGED_BERT else BertEncoder.load(kind)
