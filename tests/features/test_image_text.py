"""Image-text encoders: images and texts as vectors, held against what their models compute by themselves."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from samples.image_text_models import SIDE, write_clip, write_owl, write_siglip
from samples.refusals import refused
from stage.features.image_text import ImageTextModel
from stage.features.registry import load_image_text_encoder
from stage.types import Image

WRITE: dict[str, Callable[[Path], Path]] = {
    "CLIP": write_clip,
    "SigLIP": write_siglip,
    "SigLIP 2": lambda folder: write_siglip(folder, first=False),
    "SigLIP 2 NaFlex": lambda folder: write_siglip(folder, first=False, own_shape=True),
}
SIZES = ((90, 160), (160, 90), (20, 20), (7, 100))
IMAGES = [np.random.default_rng(i).integers(0, 255, (*size, 3), np.uint8) for i, size in enumerate(SIZES)]
TEXTS = ["the cat", "a man with the party hat", "dog"]
STARTUP = """
import sys
import numpy as np
from stage.features.registry import load_image_text_encoder
for folder in sys.argv[1:]:
    encoder = load_image_text_encoder(folder)
    encoder.texts(["a cat", "a cat " * 300])
    encoder.images([np.zeros((90, 160, 3), np.uint8)])
    encoder.logit_scale, encoder.logit_bias
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each family."""
    root = tmp_path_factory.mktemp("models")
    return {name: write(root / name.replace(" ", "-")) for name, write in WRITE.items()}


def pieces(encoder: ImageTextModel, text: str) -> list[str]:
    """The wordpieces of a text as the model gets them."""
    given: list[list[int]] = []
    features = encoder.model.get_text_features
    encoder.model.get_text_features = lambda **inputs: (
        given.extend(inputs["input_ids"].tolist()) or features(**inputs)
    )
    try:
        encoder.texts([text])
    finally:
        encoder.model.get_text_features = features
    tokens: list[str] = encoder.tokenizer.convert_ids_to_tokens(given[0])
    return tokens


@pytest.mark.parametrize("family", WRITE)
def test_images_and_texts_become_unit_vectors_of_one_space(family: str, folders: dict[str, Path]) -> None:
    encoder = load_image_text_encoder(str(folders[family]))
    images, texts = encoder.images(IMAGES), encoder.texts(TEXTS)
    assert images.shape == (4, encoder.dim)
    assert texts.shape == (3, encoder.dim)
    assert images.dtype == texts.dtype == np.float32
    for vectors in (images, texts):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.abs(texts[0] - texts[1]).max() > 1e-2
    assert encoder.images([]).shape == encoder.texts([]).shape == (0, encoder.dim)
    assert load_image_text_encoder(encoder.name).name == encoder.name


@pytest.mark.parametrize("family", WRITE)
def test_vectors_do_not_depend_on_what_is_encoded_with_them(family: str, folders: dict[str, Path]) -> None:
    encoder = ImageTextModel.load(str(folders[family]))
    many = (IMAGES * 5)[:19]
    np.testing.assert_allclose(encoder.images(many)[17], encoder.images([many[17]])[0], atol=1e-5)
    longer = [*TEXTS, "a photo of the man with the party hat"] * 20
    np.testing.assert_allclose(encoder.texts(longer)[68], encoder.texts(["the cat"])[0], atol=1e-5)


@pytest.mark.parametrize("family", WRITE)
def test_cosines_scale_and_bias_give_the_logits_of_the_model(family: str, folders: dict[str, Path]) -> None:
    """All texts here are in lower case and have no punctuation, so that every tokenizer splits them alike."""
    encoder = ImageTextModel.load(str(folders[family]))
    with torch.inference_mode():
        padded = encoder.tokenizer(
            TEXTS, padding="max_length", max_length=encoder.longest, padding_side="right", return_tensors="pt"
        )
        ids = padded["input_ids"]
        if family != "CLIP":  # the tokenizers of this test don't add the end of a text by themselves
            ends = padded["attention_mask"].sum(1)
            ids[torch.arange(len(ids)), ends] = encoder.tokenizer.eos_token_id
        mask = {"attention_mask": padded["attention_mask"]} if family == "CLIP" else {}
        prepared = encoder.processor(images=IMAGES[:1], return_tensors="pt")
        logits = encoder.model(input_ids=ids, **mask, **prepared).logits_per_image.numpy()
    cosines = encoder.images(IMAGES[:1]) @ encoder.texts(TEXTS).T
    ours = cosines * encoder.logit_scale + (encoder.logit_bias or 0)
    np.testing.assert_allclose(ours, logits, atol=1e-3)


def test_scale_and_bias_are_those_that_were_learned(folders: dict[str, Path]) -> None:
    siglip, clip = (ImageTextModel.load(str(folders[name])) for name in ("SigLIP", "CLIP"))
    assert siglip.logit_scale == pytest.approx(math.exp(2))
    assert siglip.logit_bias == -7
    assert clip.logit_scale == pytest.approx(math.exp(2.6592), rel=1e-4)
    assert clip.logit_bias is None


def test_a_text_gets_the_special_tokens_and_the_padding_of_the_training(folders: dict[str, Path]) -> None:
    encoders = {name: ImageTextModel.load(str(folder)) for name, folder in folders.items()}
    text = "A photo of the Cat!"
    words = ["a", "photo", "of", "the", "cat"]
    assert pieces(encoders["CLIP"], text) == [
        "<|startoftext|>", *(f"{word}</w>" for word in words), "!</w>", "<|endoftext|>",
    ]  # fmt: skip
    marked = [f"▁{word}" for word in words]
    # The first SigLIP was trained on texts without punctuation; its padding is the end of a text.
    assert pieces(encoders["SigLIP"], text) == [*marked, *["</s>"] * 7]
    for name in ("SigLIP 2", "SigLIP 2 NaFlex"):
        assert pieces(encoders[name], text) == ["a", *marked[1:], "!", "<eos>", *["<pad>"] * 5]


@pytest.mark.parametrize("family", WRITE)
def test_a_text_that_is_too_long_is_cut_before_its_end_and_noted(
    family: str, folders: dict[str, Path]
) -> None:
    encoder = ImageTextModel.load(str(folders[family]))
    encoder.texts(["the cat"])
    assert encoder.notes == ()
    tokens = pieces(encoder, "a" + " dog" * 50)
    assert len(tokens) == encoder.longest
    assert tokens[-1] == encoder.tokenizer.eos_token
    assert sum("dog" in token for token in tokens) == encoder.longest - (3 if family == "CLIP" else 2)
    [note] = encoder.notes
    assert note.startswith("'a dog dog")
    assert note.endswith(
        f"too long for the image-text encoder, which reads its first {encoder.longest} wordpieces"
    )
    assert len(note) < 200


def in_three(left: int, middle: int, right: int) -> Image:
    """An image of 96 x 32 pixels in three shades of grey, side by side."""
    return (
        np.repeat(np.array([left, middle, right], np.uint8), SIDE)[None, :, None].repeat(SIDE, 0).repeat(3, 2)
    )


def test_siglip_sees_all_of_an_image_and_clip_the_square_in_its_middle(folders: dict[str, Path]) -> None:
    one, other = in_three(0, 90, 255), in_three(255, 90, 0)
    clip, siglip = (ImageTextModel.load(str(folders[name])) for name in ("CLIP", "SigLIP"))
    ones, others = clip.images([one, other])
    np.testing.assert_allclose(ones, others, atol=1e-5)
    ones, others = siglip.images([one, other])
    assert np.abs(ones - others).max() > 1e-3


def without(name: str) -> Callable[[Path], object]:
    return lambda folder: [path.unlink() for path in folder.glob(name)]


def changed_weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file(change(load_file(path)), path, metadata={"format": "pt"})

    return apply


@pytest.mark.parametrize("family", ["CLIP", "SigLIP 2"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("tokenizer*.json"), "has no tokenizer"),
        (without("preprocessor_config.json"), "has no preprocessor_config.json"),
        (without("model.safetensors"), r"contains no \*\.safetensors weights"),
        (without("config.json"), "describes no model that could be loaded"),
        (changed_weights(lambda w: dict(list(w.items())[5:])), "the weights are not those of"),
        (
            changed_weights(lambda w: {k: v * math.nan if v.ndim > 1 else v for k, v in w.items()}),
            "are not finite",
        ),
        (
            changed_weights(lambda w: {k: v * 0 for k, v in w.items()}),
            r"can't encode a text.*\(its vectors are not finite \(NaN\), or zero\)",
        ),
    ],
)
def test_an_incomplete_model_is_refused_in_one_line(
    family: str, damage: Callable[[Path], object], message: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders[family], tmp_path / "model"))
    damage(folder)
    with pytest.raises(Exception, match=message) as raised:
        ImageTextModel.load(str(folder))
    assert type(raised.value).__name__ == "InputError"
    assert "\n" not in str(raised.value)
    assert str(folder) in str(raised.value)


def test_a_clip_that_could_not_find_the_end_of_a_text_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """Its vector would be that of the text's beginning, the same for all texts."""
    folder = Path(shutil.copytree(folders["CLIP"], tmp_path / "clip"))
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 7
    (folder / "config.json").write_text(json.dumps(config))
    message = str(refused(lambda: ImageTextModel.load(str(folder))))
    assert "ends a text with the number 214, and config.json says 7" in message


def test_a_tokenizer_with_more_wordpieces_than_the_model_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders["CLIP"], tmp_path / "clip"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["dragon"])
    tokenizer.save_pretrained(folder)
    encoder = ImageTextModel.load(str(folder))
    message = str(refused(lambda: encoder.texts(["dragon"])))
    assert "the number 215, and the model 215 embeddings" in message


def test_a_model_that_compares_no_images_with_texts_is_refused(tmp_path: Path) -> None:
    message = str(refused(lambda: ImageTextModel.load(str(write_owl(tmp_path / "owl")))))
    assert "is a model of the kind 'owlv2', which does not compare images with texts; use SigLIP 2" in message


@pytest.mark.parametrize("spec", ["/nowhere/clip", "./nowhere", "no-such-name", "a/b/c"])
def test_an_encoder_that_is_nowhere_is_refused_without_the_network(spec: str) -> None:
    message = str(refused(lambda: load_image_text_encoder(spec)))
    assert message.startswith(f"{spec}: no such image-text encoder")


def test_without_the_hub_a_model_of_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stage.features.pretrained.out_of_reach", lambda name: "no network")
    message = str(refused(lambda: ImageTextModel.load("nobody/clip")))
    assert message.startswith("nobody/clip: is not on this machine, and can't be downloaded (no network)")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_loading_and_encoding_print_nothing(folders: dict[str, Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTUP, *folders.values()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
