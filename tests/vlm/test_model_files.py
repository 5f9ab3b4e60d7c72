"""A model is found in a folder or on the hub; what can go wrong is said in one line, and nothing is waited for."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from stage.errors import InputError
from stage.vlm import model_files
from stage.vlm.model_files import find_model, identity_of

NAME = "somebody/some-model"
WHOLE = ("config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json")


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the hub's cache has of the model."""
    monkeypatch.setattr(model_files, "downloaded", lambda name: tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "out_of_reach", lambda name: "no network")


def test_a_model_that_was_downloaded_needs_no_network(cached: Path) -> None:
    for name in WHOLE:
        (cached / name).touch()
    assert find_model(NAME) == cached


@pytest.mark.parametrize("missing", ["tokenizer.json", "preprocessor_config.json"])
def test_a_model_that_was_downloaded_in_part_is_said_to_be(cached: Path, missing: str) -> None:
    for name in set(WHOLE) - {missing}:
        (cached / name).touch()
    with pytest.raises(
        InputError, match=r"is not all on this machine, and the hub doesn't give it \(no network\)"
    ):
        find_model(NAME)


def test_a_model_that_was_never_downloaded_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "downloaded", lambda name: None)
    with pytest.raises(InputError, match="was not downloaded before"):
        find_model(NAME)


def test_what_is_missing_is_downloaded_without_code_and_pickles(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def download(name: str, **settings: object) -> str:
        asked.update(settings, name=name)
        return str(cached)

    monkeypatch.setattr(model_files, "out_of_reach", lambda name: None)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert find_model(NAME) == cached
    assert asked["name"] == NAME
    assert not {"*.py", "*.bin", "*.pt"} & set(asked["allow_patterns"])  # type: ignore[call-overload]


def test_a_gated_model_and_a_broken_download_are_said_in_one_line(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub.errors import GatedRepoError

    response = httpx2.Response(403, request=httpx2.Request("GET", "https://huggingface.co"))

    def gated(name: str, **_: object) -> str:
        raise GatedRepoError("403\n\nmany lines", response=response)

    def broken(name: str, **_: object) -> str:
        raise ConnectionError("it broke off\nsecond line")

    monkeypatch.setattr(model_files, "out_of_reach", lambda name: None)
    for download, message in ((gated, "is gated; accept its terms"), (broken, "it broke off")):
        monkeypatch.setattr("huggingface_hub.snapshot_download", download)
        with pytest.raises(InputError, match=message) as raised:
            find_model(NAME)
        assert "\n" not in str(raised.value)


def model(folder: Path, size: int, changed: int | None = None) -> Path:
    """A folder with weights of zeros, of which 100 kB from `changed` on are others."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(size)
        if changed is not None:
            file.seek(changed)
            file.write(b"\x01" * 100_000)
    return folder


@pytest.mark.parametrize("changed", [0, 7_000_000, 23_456_789, 39_900_000])
def test_models_that_differ_in_a_part_of_their_weights_are_not_the_same(tmp_path: Path, changed: int) -> None:
    first, second = model(tmp_path / "a", 40_000_000), model(tmp_path / "b", 40_000_000, changed)
    assert identity_of(first, "float32") != identity_of(second, "float32")


def test_the_same_model_in_another_folder_is_the_same_but_not_in_another_precision(tmp_path: Path) -> None:
    first, second = (model(tmp_path / name, 200_000, 0) for name in "ab")
    assert identity_of(first, "float32") == identity_of(second, "float32")
    assert identity_of(first, "float32") != identity_of(second, "bfloat16")
    (second / "config.json").write_text('{"a": 1}')
    assert identity_of(first, "float32") != identity_of(second, "float32")
