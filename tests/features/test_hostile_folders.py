"""Folders of Hugging Face models that are broken or hostile: no code is run, and each is refused in one line."""

from __future__ import annotations

import json
import os
import pickle
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import YolosConfig, YolosForObjectDetection

from samples.bert import write_bert
from samples.collecting import tagger_folder
from stage.collecting.tagging import load_tagger
from stage.errors import InputError
from stage.features.registry import load_detector, load_text_encoder
from stage.training.text_encoder import load_bert

CODE = """
from pathlib import Path
Path(__file__).with_name("RAN").touch()
from transformers import BertConfig as Config, BertModel as Model, BertTokenizerFast as Tokenizer
"""
CHILD = """
import sys
from stage.collecting.tagging import load_tagger
from stage.errors import InputError
from stage.features.registry import load_detector, load_text_encoder
from stage.training.text_encoder import load_bert
assert sys.stdin.isatty()
for kind, folder in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        globals()[kind](folder)
    except InputError as error:
        print(kind, str(error).replace(chr(10), "|"))
"""
USES: dict[str, Callable[[str], Any]] = {
    "encoder": lambda folder: load_text_encoder(folder).encode(["what is the mug doing"]),
    "tagger": lambda folder: load_tagger(folder).nouns(["mia", "plays"]),
    "bert": load_bert,
    "detector": lambda folder: load_detector(folder).detect([np.zeros((40, 60, 3), np.uint8)]),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each kind."""
    place = tmp_path_factory.mktemp("sound")
    config = YolosConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=[32, 48],
        patch_size=16, num_detection_tokens=8, num_labels=3,
    )  # fmt: skip
    YolosForObjectDetection(config).save_pretrained(place / "detector")
    settings = {"size": {"height": 32, "width": 48}, "image_processor_type": "YolosImageProcessor"}
    (place / "detector" / "preprocessor_config.json").write_text(json.dumps(settings))
    bert = write_bert(place / "bert")
    return {
        "encoder": bert,
        "bert": bert,
        "tagger": tagger_folder(place / "tagger", ["mia"], ("NOUN", "VERB")),
        "detector": place / "detector",
    }


@pytest.fixture
def copy(sound: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: Path(shutil.copytree(sound[kind], tmp_path / kind))


def changed(path: Path, **changes: Any) -> None:
    """Change values of a JSON file."""
    settings = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.write_text(json.dumps(settings | changes), "utf-8")


def refused(kind: str, folder: Path, message: str) -> None:
    with pytest.raises(InputError, match=rf"{folder}.*{message}") as caught:
        USES[kind](str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", USES)
def test_the_models_are_sound_before_they_are_changed(sound: dict[str, Path], kind: str) -> None:
    USES[kind](str(sound[kind]))


@pytest.mark.slow
def test_no_code_in_a_folder_is_run_and_nobody_is_asked(copy: Callable[[str], Path], tmp_path: Path) -> None:
    calls = {
        "encoder": "load_text_encoder",
        "bert": "load_bert",
        "tagger": "load_tagger",
        "detector": "load_detector",
    }
    arguments: list[str] = []
    for kind, call in calls.items():
        for part, file in (("config", "config.json"), ("tokenizer", "tokenizer_config.json")):
            folder = copy(kind).rename(tmp_path / f"{kind}-{part}")
            (folder / "code.py").write_text(CODE)
            autos = {"AutoConfig": "code.Config", "AutoTokenizer": [None, "code.Tokenizer"]}
            models = ("AutoModel", "AutoModelForTokenClassification", "AutoModelForObjectDetection")
            autos |= dict.fromkeys(models, "code.Model")  # type: ignore[arg-type]
            named = {"model_type": "unheard-of"} if part == "config" else {"tokenizer_class": "Unheard"}
            changed(folder / file, auto_map=autos, **named)
            if kind == "detector":
                image = {"AutoImageProcessor": "code.Processor"}
                changed(folder / "preprocessor_config.json", auto_map=image, image_processor_type="Unheard")
            arguments += [call, str(folder)]
    terminal, stdin = pty.openpty()
    try:
        os.write(terminal, b"y\n" * 40)
        environment = os.environ | {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", CHILD, *arguments],
            stdin=stdin,
            capture_output=True,
            text=True,
            env=environment,
        )
    finally:
        os.close(terminal)
        os.close(stdin)
    assert done.returncode == 0, done.stderr
    assert "[y/N]" not in done.stdout + done.stderr
    assert not [*tmp_path.rglob("RAN")]
    for call in calls.values():  # the code is needed, so that the model can't be used without it
        assert f"{call} {tmp_path}" in done.stdout


class Intruder:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemExit",))


@pytest.mark.parametrize("kind", USES)
def test_pickled_weights_are_not_read(copy: Callable[[str], Path], kind: str) -> None:
    folder = copy(kind)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Intruder()))
    USES[kind](str(folder))
    changed(folder / "config.json", transformers_weights="pytorch_model.bin")
    refused(kind, folder, r"config\.json: names weights in 'pytorch_model.bin', and only \.safetensors")
    (folder / "model.safetensors").unlink()
    refused(kind, folder, r"contains no \*\.safetensors")


OTHER_CODE: list[dict[str, Any]] = [
    {"attn_implementation": "someone/kernel"},
    {"vision_config": {"_attn_implementation": "someone/kernel@main:forward"}},
    {"experts_implementation": "someone/kernel"},
    {"quantization_config": {"quant_method": "bitsandbytes"}},
]


@pytest.mark.parametrize("settings", OTHER_CODE)
def test_settings_that_need_other_code_are_refused(
    copy: Callable[[str], Path], settings: dict[str, Any]
) -> None:
    folder = copy("encoder")
    changed(folder / "config.json", **settings)
    refused("encoder", folder, r"config\.json: (.*would be other code|quantised weights are not read)")


def test_an_adapter_is_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("encoder")
    changed(folder / "adapter_config.json", base_model_name_or_path="someone/model")
    refused("encoder", folder, r"adapter_config\.json: adapters are not read")


SIZES: list[tuple[str, dict[str, Any], str]] = [
    ("encoder", {"hidden_size": 10**9}, r"config\.json: hidden_size is 1e\+09, and at most"),
    ("encoder", {"hidden_size": 10**6}, r"config\.json: describes a larger model than that of the weights"),
    ("encoder", {"hidden_size": 64}, r"is 32, not 64"),
    ("encoder", {"hidden_size": 0}, r"no text encoder could be loaded"),
    ("encoder", {"hidden_size": "large"}, r"config\.json describes no model"),
    ("encoder", {"vocab_size": 10**7}, r"config\.json: describes a larger model"),
    ("encoder", {"num_hidden_layers": 10**6}, r"config\.json: describes a larger model"),
    ("encoder", {"max_position_embeddings": 2}, r"is 40 x 32, not 2 x 32"),
    ("encoder", {"num_labels": 10**7}, r"config\.json: num_labels is 1e\+07"),
    ("encoder", {"layer_norm_eps": float("nan")}, r"its vectors are not finite"),
    ("bert", {"intermediate_size": 10**7}, r"config\.json: describes a larger model"),
    ("bert", {"model_type": ["bert"]}, r"config\.json describes no model"),
    ("tagger", {"num_labels": 7}, r"classifier\.bias is 2, not 7"),
    ("tagger", {"id2label": {"0": "NOUN", "5": "VERB"}}, r"config\.json doesn't name all 2 tags"),
    ("tagger", {"id2label": ["NOUN"]}, r"config\.json describes no model"),
    ("detector", {"num_labels": 9}, r"is 4, not 10"),
    ("detector", {"image_size": [10**7, 10**7]}, r"config\.json: describes a larger model"),
    ("detector", {"num_detection_tokens": 10**7}, r"config\.json: describes a larger model"),
    ("detector", {"layer_norm_eps": float("nan")}, r"no finite states"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "settings", "message"), SIZES)
def test_wrong_and_enormous_sizes_are_refused_before_they_take_memory(
    copy: Callable[[str], Path], kind: str, settings: dict[str, Any], message: str
) -> None:
    folder = copy(kind)
    changed(folder / "config.json", **settings)
    refused(kind, folder, message)


@pytest.mark.parametrize("kind", USES)
def test_weights_that_are_not_finite_are_refused(copy: Callable[[str], Path], kind: str) -> None:
    folder = copy(kind)
    weights = load_file(folder / "model.safetensors")
    broken = dict(weights) | {name: torch.full_like(weights[name], torch.nan) for name in sorted(weights)[:2]}
    save_file(broken, folder / "model.safetensors", metadata={"format": "pt"})
    refused(kind, folder, r"the weights \S+ are not finite")


CONTENTS = {
    "empty": "",
    "cut": '{"a": ',
    "list": "[1]",
    "deep": "[" * 100_000,
    "long": f'{{"a": {"9" * 5000}}}',
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("encoder", "config.json"),
        ("encoder", "tokenizer.json"),
        ("tagger", "tokenizer_config.json"),
        ("detector", "preprocessor_config.json"),
        ("detector", "model.safetensors.index.json"),
    ],
)
def test_broken_files_are_refused_by_their_names(
    copy: Callable[[str], Path], kind: str, file: str, content: str
) -> None:
    folder = copy(kind)
    (folder / file).write_text(CONTENTS[content])
    refused(kind, folder, file.replace(".", r"\."))


TOKENIZERS: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, r"tokenizer\.json and tokenizer_config\.json give no tokenizer"),
    ({"model": {"type": "Unheard"}}, r"tokenizer\.json and tokenizer_config\.json give no tokenizer"),
    ({"normalizer": {"type": "Unheard"}}, r"tokenizer\.json and tokenizer_config\.json give no tokenizer"),
]


@pytest.mark.parametrize(("settings", "message"), TOKENIZERS)
def test_what_is_no_tokenizer_is_refused(
    copy: Callable[[str], Path], settings: dict[str, Any], message: str
) -> None:
    folder = copy("tagger")
    changed(folder / "tokenizer.json", **settings)
    refused("tagger", folder, message)


def test_texts_do_not_grow_without_end(copy: Callable[[str], Path]) -> None:
    folder = copy("encoder")
    doubled = {"type": "Replace", "pattern": {"String": "e"}, "content": "ee"}
    changed(folder / "tokenizer.json", normalizer={"type": "Sequence", "normalizers": [doubled] * 34})
    refused("encoder", folder, r"tokenizer\.json: its normalizers make a text up to 1.\d+e\+10 times longer")
    shortened = {"type": "Replace", "pattern": {"String": "ee"}, "content": "ee"}
    changed(folder / "tokenizer.json", normalizer={"type": "Sequence", "normalizers": [shortened] * 34})
    USES["encoder"](str(folder))


def test_wordpieces_without_embeddings_are_refused_with_the_text_that_has_them(
    copy: Callable[[str], Path],
) -> None:
    folder = copy("encoder")
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text("utf-8"))
    token = tokenizer["added_tokens"][0] | {"id": 25, "content": "zebra", "special": False}
    tokenizer["added_tokens"].append(token)
    path.write_text(json.dumps(tokenizer), "utf-8")
    encoder = load_text_encoder(str(folder))
    assert len(encoder.encode(["what is"])[0]) == 2
    with pytest.raises(InputError, match=rf"{folder}.*wordpiece with the number \d+, and the model \d+ emb"):
        encoder.encode(["what is the zebra"])


PREPARATIONS: list[tuple[str, dict[str, Any]]] = [
    ("preprocessor_config.json", {"size": {"height": 10**9, "width": 10**9}}),
    ("preprocessor_config.json", {"pad_size": {"height": 50_000, "width": 50_000}}),
    ("preprocessor_config.json", {"size": {"height": float("nan"), "width": 4}}),
    (
        "processor_config.json",
        {"image_processor": {"size": {"longest_edge": 10**400, "shortest_edge": 10**9}}},
    ),
]


@pytest.mark.parametrize(("file", "settings"), PREPARATIONS)
def test_images_are_not_prepared_in_enormous_sizes(
    copy: Callable[[str], Path], file: str, settings: dict[str, Any]
) -> None:
    folder = copy("detector")
    changed(folder / file, **settings)
    refused(
        "detector", folder, rf"{file}: \S*size\.\S+ is .*, and images are prepared in at most 4096 pixels"
    )


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_pipes_folders_and_endless_files_are_not_read(copy: Callable[[str], Path], name: str) -> None:
    folder = copy("encoder")
    path = folder / name
    path.unlink()
    os.mkfifo(path)
    refused("encoder", folder, rf"{name}: is no file that can be read")
    path.unlink()
    path.mkdir()
    refused("encoder", folder, rf"{name}: is no file that can be read")
    path.rmdir()
    path.symlink_to("/dev/zero")
    refused("encoder", folder, rf"{name}: is no file that can be read")
    path.unlink()
    with path.open("wb") as file:
        file.truncate(40 << 30)  # sparse: it takes no space
    refused("encoder", folder, rf"{name}: has 42949672960 bytes, and at most \d+ are read")


@pytest.mark.parametrize(
    "part", ["../model.safetensors", "/etc/passwd", "pytorch_model.bin", "none.safetensors"]
)
def test_an_index_names_weights_beside_it_alone(copy: Callable[[str], Path], part: str) -> None:
    folder = copy("encoder")
    shutil.copy(folder / "model.safetensors", folder.parent)
    names = dict.fromkeys(load_file(folder / "model.safetensors"), part)
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Intruder()))
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": names}))
    refused(
        "encoder", folder, rf"index\.json: names weights in '{part}', which is no \.safetensors file beside"
    )
    index.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, "part.safetensors")}))
    USES["encoder"](str(folder))
