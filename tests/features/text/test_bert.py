"""Every word of a text gets its BERT vector, independent of what else is encoded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

from samples.features import quiet
from stage.errors import InputError
from stage.features.extraction import extract_texts
from stage.features.names import same_model
from stage.features.registry import load_text_encoder
from stage.features.store.feature_store import FeatureStore

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
    with pytest.raises(InputError, match=r"half/model\.safetensors: is not whole"):
        load_text_encoder(str(place))


Weights = dict[str, Tensor]


def with_weights(folder: Path, place: Path, change: Callable[[Weights], Weights]) -> Path:
    """A copy of a model folder with other weights."""
    shutil.copytree(folder, place)
    weights = change(load_file(place / "model.safetensors"))
    save_file(weights, place / "model.safetensors", metadata={"format": "pt"})
    return place


def without(weights: Weights, part: str) -> Weights:
    return {key: value for key, value in weights.items() if part not in key}


def with_a_layer_more(weights: Weights) -> Weights:
    return weights | {
        k.replace("layer.2", "layer.3"): v.clone() for k, v in weights.items() if "layer.2" in k
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda weights: {f"module.{key}": value for key, value in weights.items()},
            r"missing \(embeddings\.LayerNorm\.bias, .* unexpected \(module\..*remove the prefix \"module\.\"",
        ),
        (
            lambda weights: without(weights, "layer.1."),
            r"16 missing \(encoder\.layer\.1\..*, \.\.\); save it with",
        ),
        (
            lambda weights: without(weights, "word_embeddings"),
            r"1 missing \(embeddings\.word_embeddings\.weight\);",
        ),
        (with_a_layer_more, r"config\.json: 16 unexpected \(encoder\.layer\.3\."),
        (
            lambda weights: with_a_layer_more({f"bert.{key}": value for key, value in weights.items()}),
            r"16 unexpected \(bert\.encoder\.layer\.3\.",
        ),
        (
            lambda weights: weights | {"embeddings.word_embeddings.weight": torch.zeros(13, 16)},
            r"embeddings\.word_embeddings\.weight is 13 x 16, not 12 x 16",
        ),
        (
            lambda weights: {"transformer.h.0.weight": torch.zeros(2)},
            r"53 missing .* 1 unexpected \(transformer\.h",
        ),
    ],
)
def test_weights_that_are_missing_or_unexpected_are_refused(
    folder: Path, tmp_path: Path, change: Callable[[Weights], Weights], message: str
) -> None:
    place = with_weights(folder, tmp_path / "changed", change)
    with pytest.raises(InputError, match=f"changed: the weights are not those of a BertModel .*{message}"):
        load_text_encoder(str(place))


@pytest.mark.parametrize("kind", [BertForPreTraining, BertForMaskedLM, RobertaForMaskedLM])
def test_heads_of_another_task_are_not_needed(folder: Path, tmp_path: Path, kind: type) -> None:
    """Nor is a pooler, which a model of masked words alone doesn't have."""
    place = tmp_path / "heads"
    shutil.copytree(folder, place)
    sizes = BertConfig.from_pretrained(folder).to_diff_dict()
    settings = {
        k: v for k, v in sizes.items() if k not in ("architectures", "model_type", "transformers_version")
    }
    settings["max_position_embeddings"] = 40
    model = kind((RobertaConfig if kind is RobertaForMaskedLM else BertConfig)(**settings)).eval()
    model.save_pretrained(place)
    body = model.roberta if kind is RobertaForMaskedLM else model.bert
    with torch.no_grad():
        expected = body(torch.tensor([[2, 4, 3]]), output_hidden_states=True).hidden_states[-2][0, 1].numpy()
    assert np.allclose(load_text_encoder(str(place)).encode(["mia"])[0][0], expected, atol=1e-5)


def test_buffers_that_old_checkpoints_contain_are_ignored(folder: Path, tmp_path: Path) -> None:
    place = with_weights(
        folder, tmp_path / "old", lambda w: w | {"embeddings.position_ids": torch.arange(24)[None]}
    )
    found = load_text_encoder(str(place)).encode(["mia"])[0]
    assert np.array_equal(found, load_text_encoder(str(folder)).encode(["mia"])[0])


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_read_as_float32(
    folder: Path, tmp_path: Path, precision: torch.dtype
) -> None:
    half = tmp_path / "half"
    shutil.copytree(folder, half)
    BertModel.from_pretrained(folder).to(precision).save_pretrained(half)
    full = with_weights(half, tmp_path / "full", lambda w: {key: value.float() for key, value in w.items()})
    encoder = load_text_encoder(str(half))
    assert {weights.dtype for weights in encoder.model.parameters()} == {torch.float32}  # type: ignore[attr-defined]
    assert np.array_equal(encoder.encode(["mia ?"])[0], load_text_encoder(str(full)).encode(["mia ?"])[0])


def test_a_tokenizer_of_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    for name, special, message in (
        (
            "larger",
            {"cls_token": "[CLS]", "sep_token": "[SEP]"},
            "has 13 wordpieces, but the model has .* 12",
        ),
        ("plain", {}, r"needs a fast tokenizer with \[CLS\] and \[SEP\]"),
    ):
        place = tmp_path / name
        shutil.copytree(folder, place)
        pieces = {piece: i for i, piece in enumerate([*PIECES, "rent"])}
        tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", **special).save_pretrained(
            place
        )
        with pytest.raises(InputError, match=f"{name}: .*{message}"):
            load_text_encoder(str(place))


def test_every_spelling_of_a_path_gives_the_same_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "bert")
    (tmp_path / "link").symlink_to(tmp_path / "bert")
    monkeypatch.chdir(tmp_path)
    name = load_text_encoder("bert").name
    assert name.startswith(f"{tmp_path / 'bert'}@")
    digest = name.partition("@")[2]
    assert len(digest) == 25
    for spelling in (
        "./bert",
        "bert/",
        "link",
        str(tmp_path / "bert"),
        f"bert@{digest}",
        f"./bert@{digest}",
        f"bert@{digest[:12]}",  # of an older version
        name,
    ):
        assert load_text_encoder(spelling).name == name


def test_spellings_of_one_encoder_accept_each_other_s_features(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "bert")
    monkeypatch.chdir(tmp_path)
    for spelling in ("bert", "./bert", str(tmp_path / "bert")):
        extract_texts(["mia", spelling], tmp_path / "store", load_text_encoder(spelling), quiet)
    name = load_text_encoder("bert").name
    old = name.replace(f"{tmp_path}/", "").partition("-")[0]  # as older versions stored it
    attributes = tmp_path / "store" / "attributes.json"
    attributes.write_text(attributes.read_text().replace(name, old))
    assert FeatureStore.open(tmp_path / "store").attributes.text == old
    extract_texts(["mia holds"], tmp_path / "store", load_text_encoder("./bert"), quiet)
    assert FeatureStore.open(tmp_path / "store").attributes.text == name


def test_another_tokenizer_or_configuration_is_another_encoder(folder: Path, tmp_path: Path) -> None:
    name = load_text_encoder(str(folder)).name

    def changed(file: str, before: str, after: str) -> str:
        place = tmp_path / f"{file}-{after}"
        shutil.copytree(folder, place)
        content = (place / file).read_text("utf-8")
        assert before in content
        (place / file).write_text(content.replace(before, after), "utf-8")
        return load_text_encoder(str(place)).name

    swapped = changed("tokenizer.json", '"mia": 4', '"mia": 5')
    heads = changed("config.json", '"num_attention_heads": 2', '"num_attention_heads": 4')
    again = changed("config.json", '"transformers_version": "', '"transformers_version": "9.')
    assert same_model(name, again)
    for other in (swapped, heads):
        assert not same_model(name, other)
        extract_texts(["mia"], tmp_path / "store", load_text_encoder(str(folder)), quiet)
        with pytest.raises(InputError, match="contains features of"):
            extract_texts(["mia"], tmp_path / "store", load_text_encoder(other), quiet)
    digests = name.partition("@")[2]
    with pytest.raises(
        InputError, match=r"the configuration, tokenizer or preparation of images in .* are others"
    ):
        load_text_encoder(swapped.partition("@")[0] + f"@{digests}")


def test_a_moved_folder_is_found_by_name_and_checked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "old" / "bert")
    name = load_text_encoder(str(tmp_path / "old" / "bert")).name
    (tmp_path / "old").rename(tmp_path / "new")
    with pytest.raises(
        InputError, match=r"old/bert does not exist any more; move it back, or start from the folder"
    ):
        load_text_encoder(name)
    monkeypatch.chdir(tmp_path / "new")
    moved = load_text_encoder(name)
    assert moved.name == f"{tmp_path / 'new' / 'bert'}@{name.partition('@')[2]}"
    shutil.rmtree(tmp_path / "new" / "bert")
    with_weights(folder, tmp_path / "new" / "bert", lambda w: {key: value + 1 for key, value in w.items()})
    with pytest.raises(InputError, match=r"the weights in .*new/bert are others now"):
        load_text_encoder(name)


def test_the_packaged_bert_places_similar_words_together() -> None:
    encoder = load_text_encoder("minilm")
    assert encoder.dim == 384
    guitar, violin, rent = (
        v[-1] / np.linalg.norm(v[-1]) for v in encoder.encode(["a guitar", "a violin", "the rent"])
    )
    assert guitar @ violin > guitar @ rent
