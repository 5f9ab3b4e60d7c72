"""Part-of-speech taggers that find nouns: HanTa, or a model of transformers."""

from __future__ import annotations

import gzip
import importlib.util
import pickle
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from stage.errors import InputError
from stage.features.pretrained import load_tokenizer, load_weights, loading, one_line

PACKAGED = "hanta"
PACKAGE, PACKAGED_MODEL = "HanTa", "morphmodel_en.pgz"
CLAWS_NOUNS = frozenset(("NN", "NN0", "NN1", "NN2", "NP0"))
"""In the tag set of the British National Corpus, which HanTa was trained on."""
NOUN_TAGS = frozenset(("NOUN", "PROPN", "NN", "NNS", "NNP", "NNPS"))
"""In the universal tag set and that of the Penn Treebank."""
LONGEST = 512
"""Wordpieces of a sentence that are read at most. RoBERTa has two more positions than that, which are no places."""
ALLOWED_IN_PICKLE = frozenset(
    (module, name)
    for module in ("numpy", "numpy._core.multiarray", "numpy.core.multiarray")
    for name in ("dtype", "scalar")
)


class Tagger(Protocol):
    """Finds nouns, including proper nouns."""

    def nouns(self, words: Sequence[str]) -> list[bool]:
        """For each word of a tokenised sentence, whether it is a noun."""
        ...


class HantaTagger:
    """The Hanover Tagger (Wartena 2019) with the English model of its package."""

    def __init__(self, tagger: Any) -> None:
        self._tagger = tagger

    @classmethod
    def packaged(cls) -> HantaTagger:
        """Raises InputError if the package isn't installed, or its model contains more than numbers and words."""
        package = importlib.util.find_spec(PACKAGE)
        if package is None or not package.submodule_search_locations:
            raise InputError(
                "the default tagger is missing: pip install HanTa, or give a model of transformers with --tagger"
            )
        from HanTa.HanoverTagger import HanoverTagger

        path = Path(next(iter(package.submodule_search_locations))) / PACKAGED_MODEL
        tagger = HanoverTagger(None, model=read_pickled_numbers(path))
        tagger.strict = (
            False  # as the package does for models that it reads itself: unknown words are guessed
        )
        return cls(tagger)

    def nouns(self, words: Sequence[str]) -> list[bool]:
        return [tag in CLAWS_NOUNS for tag in self._tagger.tag_sent(list(words), taglevel=0)]


class TransformersTagger:
    """A token classifier with universal or Penn tags; a word gets the tag of its first wordpiece."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._is_noun = torch.tensor(
            [_tag(str(model.config.id2label[i])) in NOUN_TAGS for i in range(model.config.num_labels)]
        )

    @classmethod
    def load(cls, spec: str) -> TransformersTagger:
        """Load a model folder, or a model by its hub name (which alone uses the network).

        Raises InputError if it is no token classifier, its weights are incomplete, or it has no tags of nouns.
        """
        local = Path(spec).is_dir()
        if not local and (Path(spec).is_absolute() or spec.startswith(".") or spec.count("/") > 1):
            raise InputError(f"{spec}: no such tagger; give {PACKAGED}, a model folder or a hub name")
        from transformers import AutoModelForTokenClassification

        with loading(spec, "tagger", local=local):
            tokenizer = load_tokenizer(spec, local=local)
            model = load_weights(AutoModelForTokenClassification, spec, local=local)
        longest = getattr(model.config, "max_position_embeddings", LONGEST)
        tokenizer.model_max_length = min(tokenizer.model_max_length, longest, LONGEST)
        names = model.config.id2label
        if sorted(names) != list(range(model.config.num_labels)):
            raise InputError(
                f"{spec}: config.json doesn't name all {model.config.num_labels} tags in id2label"
            )
        labels = [_tag(str(label)) for label in names.values()]
        if not NOUN_TAGS.intersection(labels):
            raise InputError(
                f"{spec}: has the tags {', '.join(labels[:5])}..; a tagger must have NOUN and PROPN, or NN, NNS, NNP "
                "and NNPS"
            )
        return cls(model, tokenizer)

    @torch.inference_mode()
    def nouns(self, words: Sequence[str]) -> list[bool]:
        """As in `Tagger`. Raises InputError if the tokenizer or the model can't process the words."""
        if not words:
            return []
        with one_line(f"{self._model.name_or_path}: can't tag words"):
            return self._nouns(words)

    def _nouns(self, words: Sequence[str]) -> list[bool]:
        encoded = self._tokenizer(list(words), is_split_into_words=True, return_tensors="pt", truncation=True)
        piece_is_noun = self._is_noun[self._model(**encoded).logits[0].argmax(-1)].tolist()
        is_noun = [False] * len(words)  # also for words beyond the model's maximum length
        for piece, word in reversed(list(enumerate(encoded.word_ids()))):
            if word is not None:
                is_noun[word] = piece_is_noun[piece]
        return is_noun


def load_tagger(spec: str = PACKAGED) -> Tagger:
    """Load a tagger: "hanta", a model folder or a hub name. Raises InputError if it can't be loaded."""
    return HantaTagger.packaged() if spec == PACKAGED else TransformersTagger.load(spec)


def _tag(label: str) -> str:
    """The tag in a label; some models prefix it as for phrases, such as B-NOUN or S-NOUN."""
    return label.upper().rpartition("-")[2]


class _SafeUnpickler(pickle.Unpickler):
    """A pickle can run code by naming functions: this allows only the two of numpy that the model's numbers need."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED_IN_PICKLE:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return super().find_class(module, name)


def read_pickled_numbers(path: Path) -> Any:
    """Read a gzipped pickle of containers, strings and numbers. Raises InputError if it contains anything else."""
    try:
        with gzip.open(path) as file:
            return _SafeUnpickler(file).load()
    except (OSError, EOFError, zlib.error, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: is not the tagger's model ({error}); install {PACKAGE} again") from None
