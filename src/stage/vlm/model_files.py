"""Finding a vision-language model: a folder, or a model of the hub, downloaded once and never waited for in vain"""

from __future__ import annotations

import hashlib
from pathlib import Path

from stage.errors import InputError, first_line
from stage.features.hub import downloaded, out_of_reach
from stage.features.pretrained import is_folder
from stage.features.pretrained_files import (
    CONFIG,
    PROCESSOR_FILES,
    TOKENIZER_FILES,
    VOCABULARIES,
    WEIGHTS,
)

SAMPLES, SAMPLE_BYTES = 512, 4096
"""Of a file of weights, by which it is known."""
WHAT = "vision-language model"
TEMPLATES = ("chat_template.jinja", "chat_template.json")
FILES = ("*.json", WEIGHTS, "*.jinja", "*.txt", "*.model")
"""Patterns of what is downloaded: no pickles, and no code."""


def find_model(spec: str) -> Path:
    """The folder of a model. A model of the hub is downloaded, unless all of it was before.

    Raises InputError if there is no such model, the hub can't be reached within a few seconds, or it is gated.
    """
    if not spec:
        raise InputError(
            '"vlm:" names no model; give a hub name or a folder, such as vlm:Qwen/Qwen3-VL-2B-Instruct'
        )
    if is_folder(spec, WHAT):
        return Path(spec)
    folder = downloaded(spec)
    if folder and _has_any(folder, PROCESSOR_FILES) and _has_any(folder, VOCABULARIES):
        return folder
    if reason := out_of_reach(spec):
        state = "is not all on this machine" if folder else "was not downloaded before"
        raise InputError(
            f"{spec}: {state}, and the hub doesn't give it ({reason}); check the name and the network, get access to "
            "it if it is gated, or give a folder"
        )
    return _download(spec)


def identity_of(folder: Path, precision: str) -> str:
    """Identifies what the model in a folder replies: its weights, settings and precision, not where it lies.

    Of weights, which may be many gigabytes, the size and SAMPLES are read, spread evenly: fine-tuning may leave the
    beginning and the end as they were.
    """
    digest = hashlib.sha256(precision.encode())
    for path in sorted(folder.glob(WEIGHTS)):
        digest.update(_sampled(path))
    settings = (CONFIG, "generation_config.json", *PROCESSOR_FILES, *TOKENIZER_FILES, *TEMPLATES)
    for path in sorted({path for pattern in settings for path in folder.glob(pattern)}):
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:24]


def _sampled(path: Path) -> bytes:
    """A digest of a file's size and of samples of it; of all of a file that is no larger than these."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= SAMPLES * SAMPLE_BYTES:
            digest.update(file.read())
        else:
            for number in range(SAMPLES):
                file.seek((size - SAMPLE_BYTES) * number // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return digest.digest()


def _has_any(folder: Path, names: tuple[str, ...]) -> bool:
    return any((folder / name).is_file() for name in names)


def _download(spec: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError

    try:
        return Path(snapshot_download(spec, allow_patterns=list(FILES), etag_timeout=5))
    except GatedRepoError:
        raise InputError(
            f"{spec}: is gated; accept its terms on its page of the hub, and set HF_TOKEN to a token of yours"
        ) from None
    except Exception as error:  # of many libraries
        raise InputError(
            f"{spec}: could not be downloaded ({first_line(error)}); what has arrived is kept, so try again"
        ) from None
