"""The files of the packaged MiniLM: how they are made from the published ones, checked, and read by transformers."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load, load_file, save
from torch import Tensor

from stage.errors import InputError
from stage.io import write_bytes, write_text

ASSETS = Path(__file__).parents[2] / "assets" / "minilm"
WEIGHTS, TOKENIZER, CONFIG = "weights.safetensors", "tokenizer.json", "config.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
PUBLISHED = "model.safetensors"
PUBLISHED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the published model.safetensors, by which features of this encoder are known."""
DIGESTS = {
    WEIGHTS: "5a08b8a3f227680d97eef6c05e555be462da4c595e4bb3b834a928540b73a548",
    TOKENIZER: "5fd1c882abbd30517dced455a2c9768945ec726b96727927e4959348d9de550b",
    CONFIG: "841946eff598e2ef26659091ad474795b1f0ab5a0d4ad6b81c68e110b083060b",
    TOKENIZER_CONFIG: "a791db60b33bcdc3af5b56d0d239ad8c21ac72da9a4e124be6dfd48bb52413b3",
}
"""File -> its SHA-256."""
AGAIN = "install the package again"


@dataclass(frozen=True, eq=False)
class MiniLmFiles:
    """The checked content of the asset's files."""

    weights: Mapping[str, Tensor]
    """In float16, by their names in transformers."""
    tokenizer: str
    """JSON of the library tokenizers."""
    config: Mapping[str, Any]


def read_asset(folder: Path = ASSETS) -> MiniLmFiles:
    """Read what the encoder needs. Raises InputError if a file is missing or is not the one of this version."""
    for name in DIGESTS:
        _check(folder / name)
    tokenizer, config = ((folder / name).read_text("utf-8") for name in (TOKENIZER, CONFIG))
    return MiniLmFiles(load_file(folder / WEIGHTS), tokenizer, json.loads(config))


def _check(path: Path) -> None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"{path}: the default word vectors can't be read ({error.strerror}); {AGAIN}"
        ) from None
    if digest != DIGESTS[path.name]:
        raise InputError(f"{path}: is not the file that the package came with; {AGAIN}")


def pack_minilm(published: Path, out: Path) -> None:
    """Make the asset's files from a folder of the published model, as sentence-transformers has it.

    Weights are rounded to float16; the tokenizer loses its truncation to 128 wordpieces and its padding. Raises
    InputError if the weights are not the published ones.
    """
    content = (published / PUBLISHED).read_bytes()
    if hashlib.sha256(content).hexdigest() != PUBLISHED_WEIGHTS:
        raise InputError(
            f"{published / PUBLISHED}: is not the published all-MiniLM-L6-v2; get its folder again"
        )
    rounded = {
        name: value.to(torch.float16) for name, value in load(content).items() if value.is_floating_point()
    }
    tokenizer = json.loads((published / TOKENIZER).read_bytes()) | {"truncation": None, "padding": None}
    out.mkdir(parents=True, exist_ok=True)
    write_bytes(out / WEIGHTS, save(rounded))
    write_text(out / TOKENIZER, json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")))
    for name in (CONFIG, TOKENIZER_CONFIG):
        write_text(out / name, json.dumps(json.loads((published / name).read_bytes()), indent=1) + "\n")


@contextmanager
def transformers_folder() -> Iterator[Path]:
    """Within, a folder with the model as transformers reads it, in float32. Raises InputError as `read_asset`."""
    files = read_asset()
    with TemporaryDirectory(prefix="stage-minilm-") as name:
        folder = Path(name)
        weights = {key: value.float() for key, value in files.weights.items()}
        (folder / PUBLISHED).write_bytes(save(weights, {"format": "pt"}))
        for file in (TOKENIZER, CONFIG, TOKENIZER_CONFIG):
            shutil.copyfile(ASSETS / file, folder / file)
        yield folder
