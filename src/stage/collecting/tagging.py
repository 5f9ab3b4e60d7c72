"""Which words of a sentence are nouns: the packaged tagger, or a token classifier of transformers."""

from __future__ import annotations

import gzip
import importlib.util
import pickle
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from stage.errors import InputError, first_line
from stage.features.hub import CANT_BE_LOADED, loading

PACKAGED = "hanta"
PACKAGE, PACKAGED_MODEL = "HanTa", "morphmodel_en.pgz"
CLAWS_NOUNS = frozenset(("NN", "NN0", "NN1", "NN2", "NP0"))
"""The tags of the British National Corpus, which HanTa was made from."""
NOUNS = frozenset(("NOUN", "PROPN", "NN", "NNS", "NNP", "NNPS"))
"""Universal tags, and those of the Penn Treebank."""
NUMBERS_ONLY = frozenset(
    (module, name)
    for module in ("numpy", "numpy._core.multiarray", "numpy.core.multiarray")
    for name in ("dtype", "scalar")
)


class Tagger(Protocol):
    """Tells nouns, names among them, from other words."""

    def nouns(self, words: Sequence[str]) -> list[bool]:
        """For each word of a tokenised sentence, whether it is a noun there."""
        ...


class HantaTagger:
    """The Hanover Tagger (Wartena 2019) with the English model that its package carries."""

    def __init__(self, tagger: Any) -> None:
        self._tagger = tagger

    @classmethod
    def packaged(cls) -> HantaTagger:
        """Raises InputError if the package is missing, or its model holds more than numbers and words."""
        found = importlib.util.find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise InputError(
                "the default tagger is missing: pip install HanTa, or give a model of transformers with --tagger"
            )
        from HanTa.HanoverTagger import HanoverTagger

        path = Path(next(iter(found.submodule_search_locations))) / PACKAGED_MODEL
        tagger = HanoverTagger(None, model=read_pickled_numbers(path))
        tagger.strict = False  # as the package sets it for models it reads itself: unknown words are guessed
        return cls(tagger)

    def nouns(self, words: Sequence[str]) -> list[bool]:
        return [tag in CLAWS_NOUNS for tag in self._tagger.tag_sent(list(words), taglevel=0)]


class TransformersTagger:
    """A token classifier that says universal or Penn tags; a word has the tag of its first wordpiece."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._is_noun = torch.tensor(
            [_tag(model.config.id2label[i]) in NOUNS for i in range(model.config.num_labels)]
        )

    @classmethod
    def load(cls, spec: str) -> TransformersTagger:
        """A model folder, or a name on the hub (the only case that may reach for a network).

        Raises InputError if it is no token classifier, or has no tag for nouns.
        """
        local = Path(spec).is_dir()
        if not local and (Path(spec).is_absolute() or spec.startswith(".") or spec.count("/") > 1):
            raise InputError(f"{spec}: no such tagger; give {PACKAGED}, a model folder or a hub name")
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        try:
            with loading(local=local):
                tokenizer = AutoTokenizer.from_pretrained(spec, local_files_only=local, use_fast=True)
                model = AutoModelForTokenClassification.from_pretrained(
                    spec, local_files_only=local, use_safetensors=True
                )
        except CANT_BE_LOADED as error:
            raise InputError(f"{spec}: no tagger could be loaded ({first_line(error)})") from None
        labels = [_tag(label) for label in model.config.id2label.values()]
        if not NOUNS.intersection(labels):
            raise InputError(
                f"{spec}: says {', '.join(labels[:5])}.. of a word; a tagger must say NOUN and PROPN, or NN, NNS, "
                "NNP and NNPS"
            )
        return cls(model, tokenizer)

    @torch.inference_mode()
    def nouns(self, words: Sequence[str]) -> list[bool]:
        if not words:
            return []
        encoded = self._tokenizer(list(words), is_split_into_words=True, return_tensors="pt", truncation=True)
        tags = self._is_noun[self._model(**encoded).logits[0].argmax(-1)].tolist()
        found = [False] * len(words)  # what a too long text has past the model's end stays so
        for piece, word in reversed(list(enumerate(encoded.word_ids()))):
            if word is not None:
                found[word] = tags[piece]
        return found


def load_tagger(spec: str = PACKAGED) -> Tagger:
    """A tagger by name. Raises InputError if it can't be loaded."""
    return HantaTagger.packaged() if spec == PACKAGED else TransformersTagger.load(spec)


def _tag(label: str) -> str:
    """The tag in a label; some models write B-NOUN or S-NOUN, as for phrases."""
    return label.upper().rpartition("-")[2]


class _NumbersOnly(pickle.Unpickler):
    """Pickles can run code by naming any function; the packaged model names two of numpy's, for its numbers."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NUMBERS_ONLY:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def read_pickled_numbers(path: Path) -> Any:
    """A gzipped pickle of plain containers, texts and numbers. Raises InputError if it holds anything else."""
    try:
        with gzip.open(path) as file:
            return _NumbersOnly(file).load()
    except (OSError, EOFError, zlib.error, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: is not the tagger's model ({error}); install {PACKAGE} again") from None
