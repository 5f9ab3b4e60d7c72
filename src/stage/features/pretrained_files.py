"""Folders of Hugging Face models, checked before anything is built from them: which files are read, and how large.

Weights are read from .safetensors files alone, never from pickles, and no code of a folder is ever run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from stage.errors import InputError, first_line
from stage.io import read_json

CONFIG, ADAPTER = "config.json", "adapter_config.json"
WEIGHTS, INDEX = "*.safetensors", "*.safetensors.index.json"
SETTINGS = ("*config.json", INDEX)
"""Patterns of the files that are objects in JSON."""
TOKENIZER = "tokenizer.json"
OTHERS = (
    TOKENIZER,
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
)
"""Patterns of the files that only tokenizers read."""
TOKENIZER_FILES = ("tokenizer_config.json", *OTHERS)
"""Patterns of the files that a tokenizer is read from."""
VOCABULARIES = (TOKENIZER, "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")
"""Files of which a tokenizer needs at least one: without any, some are made without a single word."""
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
"""Files that the preparation of images is read from."""
LARGEST_SETTINGS, LARGEST_TOKENIZER, LARGEST_WEIGHTS = 8 << 20, 128 << 20, 32 << 30
"""Bytes of a file."""
LARGEST_NUMBER, MOST_LABELS, LONGEST_SIDE = 10_000_000, 100_000, 4096
"""Of a whole number in config.json, the number of labels there, and sizes in pixels that images are resized to."""
AREA_KEYS = frozenset(("merge_size",))
"""Settings of preparations whose size is not a side in pixels but an area: the least and the most pixels."""
MOST_GROWTH = 64
"""How many times longer a tokenizer may make a text before it splits it, by replacing its characters."""
ROOM = 4
"""How many times the weights in its files a model may have: for tied weights, and heads that are made anew."""
SPARE_WEIGHTS, SPARE_TENSORS = 1_000_000, 1000
"""What it may have besides, which matters for tiny models alone."""
ATTENTION = (None, "eager", "sdpa")
"""Implementations of attention that are part of PyTorch; others can be downloaded code."""


def check_files(source: str, *, local: bool) -> None:
    """Check what a model is going to be read from: a folder, or the configuration of a model of the hub.

    Raises InputError naming the file if it is none, or too large, is not JSON, or has sizes that nothing can have
    or settings that make transformers run or download other code; OSError if the hub can't be reached.
    """
    if not local:
        from transformers.utils.hub import cached_file

        if config := cached_file(source, CONFIG, _raise_exceptions_for_missing_entries=False):
            _check_config(Path(config))
        return
    folder = Path(source)
    for patterns, largest in (
        (SETTINGS, LARGEST_SETTINGS), (OTHERS, LARGEST_TOKENIZER), ((WEIGHTS,), LARGEST_WEIGHTS)
    ):  # fmt: skip
        for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
            _check_file(path, largest)
    if not any(folder.glob(WEIGHTS)):
        raise InputError(f"{source}: contains no *.safetensors weights; save the model with save_pretrained")
    if (folder / ADAPTER).exists():
        raise InputError(f"{folder / ADAPTER}: adapters are not read; merge it into the model, and save that")
    if (folder / CONFIG).exists():
        _check_config(folder / CONFIG)
    for name in PROCESSOR_FILES:
        if (folder / name).exists():
            _check_preparation(folder / name)
    for path in folder.glob(INDEX):
        _check_index(path)
    if (folder / TOKENIZER).exists():
        _check_growth(folder / TOKENIZER)


def has_any(source: str, names: Iterable[str], *, local: bool) -> bool:
    """Whether a model, in a folder or of the hub, has any of these files. OSError if the hub can't be reached."""
    from transformers.utils.hub import cached_file

    return any(
        cached_file(source, name, local_files_only=local, _raise_exceptions_for_missing_entries=False)
        for name in names
    )


def _check_file(path: Path, largest: int) -> None:
    if not path.is_file():  # a pipe would never end
        raise InputError(f"{path}: is no file that can be read; save the model with save_pretrained again")
    if (size := path.stat().st_size) > largest:
        raise InputError(f"{path}: has {size} bytes, and at most {largest} are read; is it the right file?")


def _object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: is no object in JSON; save the model with save_pretrained again")
    return content


def _check_config(path: Path) -> None:
    _check_file(path, LARGEST_SETTINGS)
    for key, value in _values(_object(path)):
        most = MOST_LABELS if key in ("num_labels", "_num_labels") else LARGEST_NUMBER
        if isinstance(value, int) and value > most:
            raise InputError(f"{path}: {key} is {_shown(value)}, and at most {most} is read; correct it")
        if key == "transformers_weights" and not str(value).endswith(
            (".safetensors", ".safetensors.index.json")
        ):
            raise InputError(f"{path}: names weights in {value!r}, and only .safetensors files are read")
        if key.endswith(("attn_implementation", "experts_implementation")) and value not in ATTENTION:
            raise InputError(
                f"{path}: {key} is {str(value)[:40]!r}, which would be other code; remove the setting"
            )
        if key in ("quantization_config", "quant_method") and value is not None:
            raise InputError(f"{path}: quantised weights are not read; save the model in full precision")


def _check_preparation(path: Path) -> None:
    values = list(_values(_object(path), nested=True))
    areas = any(key.split(".")[-1] in AREA_KEYS for key, _ in values)
    for key, value in values:
        most = LONGEST_SIDE**2 if areas and key.split(".")[-1].endswith("_edge") else LONGEST_SIDE
        if "size" in key and isinstance(value, int | float) and not value <= most:
            raise InputError(
                f"{path}: {key} is {_shown(value)}, and images are prepared in at most {most} pixels; correct it"
            )


def _check_growth(path: Path) -> None:
    """Raises InputError if a tokenizer's normalizers, one after the other, make texts many times longer."""
    growth = _growth(_object(path).get("normalizer"))
    if growth > MOST_GROWTH:
        raise InputError(
            f"{path}: its normalizers make a text up to {_shown(growth)} times longer, and at most {MOST_GROWTH} "
            "times are read; get the tokenizer again"
        )


def _growth(normalizer: Any) -> int:
    """How many times longer a normalizer makes a text at most, of those that replace or add characters."""
    if not isinstance(normalizer, dict):
        return 1
    parts, pattern = normalizer.get("normalizers"), normalizer.get("pattern")
    growth = math.prod(map(_growth, parts)) if isinstance(parts, list) else 1
    replaced = pattern.get("String") if isinstance(pattern, dict) else None
    for added in ("content", "prepend"):
        if isinstance(text := normalizer.get(added), str):
            shortest = len(replaced) if isinstance(replaced, str) and replaced and added == "content" else 1
            growth *= max(1, -(-len(text) // shortest))
    return growth


def _values(content: Any, key: str = "", *, nested: bool = False) -> Iterator[tuple[str, Any]]:
    """The values in decoded JSON, each with its key, if `nested` after the keys of the objects that it is in."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _values(value, f"{key}.{name}" if nested and key else name, nested=nested)
    elif isinstance(content, list):
        for value in content:
            yield from _values(value, key, nested=nested)
    else:
        yield key, content


def _shown(number: float) -> str:
    return f"{number:.6g}" if not isinstance(number, int) or number < 10**15 else "a number of over 15 digits"


def _check_index(path: Path) -> None:
    """Raises InputError if an index of weights in several files names others than those beside it."""
    content = _object(path)
    parts = content.get("weight_map")
    if (
        not isinstance(content.get("metadata"), dict)
        or not isinstance(parts, dict)
        or not all(isinstance(name, str) for name in parts.values())
    ):
        raise InputError(f"{path}: has no metadata and weight_map; save the model with save_pretrained again")
    for name in sorted(set(parts.values())):
        if Path(name).name != name or not name.endswith(".safetensors") or not (path.parent / name).is_file():
            raise InputError(f"{path}: names weights in {name!r}, which is no .safetensors file beside it")


@contextmanager
def no_larger_than_its_weights(source: str, *, local: bool) -> Iterator[None]:
    """Within, a model has not many more weights than the files of its folder have: config.json alone doesn't make it.

    transformers builds a model without memory first, and then gives memory to what no file has. Raises InputError
    before that. Of models of the hub nothing is known before; the sizes in their configuration are limited.
    """
    if not local:
        yield
        return
    numbers = [n for path in sorted(Path(source).glob(WEIGHTS)) for n in _sizes(path)]
    most, tensors = ROOM * sum(numbers) + SPARE_WEIGHTS, ROOM * len(numbers) + SPARE_TENSORS
    built = 0

    def count(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        nonlocal built, tensors
        if parameter is None or not parameter.is_meta:
            return
        built, tensors = built + parameter.numel(), tensors - 1
        if built > most or tensors < 0:
            raise InputError(
                f"{Path(source) / CONFIG}: describes a larger model than that of the weights, which are "
                f"{sum(numbers)} in {len(numbers)} tensors; get the configuration that they were trained with"
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _sizes(path: Path) -> list[int]:
    """The number of elements of each tensor in a file."""
    try:
        with safe_open(path, "pt") as file:
            return [math.prod(file.get_slice(key).get_shape()) for key in file.keys()]  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: is not whole, or not of safetensors ({first_line(error)})") from None
