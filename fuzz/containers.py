"""Mutations inside of files with a structure of their own, which changed bytes alone would seldom get past."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import h5py
import numpy as np
import torch
import yaml
from torch import Tensor

from fuzz.mutations import ODD_TEXTS, changed, mutate_bytes, mutate_json, mutate_text

BYTES_ALONE = 0.4
"""How often bytes are changed without regard to the structure."""
HUGE = 10**9
YAML_TAGS = ("!!python/object/apply:os.mkdir", "!odd", "!!binary", "!!set", "!!timestamp", "&a *a")


def mutate_yaml(content: bytes, random: Random) -> bytes:
    """A value of the file changed; an odd tag, or aliases that multiply; or lines and bytes."""
    match random.randrange(8):
        case 0:
            tag = random.choice(
                ("!!python/object/apply:os.mkdir", "!odd", "!!binary", "!!set", "!!timestamp", "&a *a")
            )
            return content.replace(b": ", f": {tag} ".encode(), random.choice((1, 3)))
        case 1:
            levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
            return content + "\n".join(["", "a0: &a0 [x]", *levels]).encode()
        case 2 | 3 | 4:
            value = changed(yaml.safe_load(content), random)
            try:
                return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")
            except yaml.YAMLError:  # what YAML can't write
                return mutate_text(content, random)
        case _:
            return mutate_text(content, random)


def mutate_safetensors(content: bytes, random: Random) -> bytes:
    """The header changed as JSON, its length kept right; or bytes."""
    if random.random() < BYTES_ALONE:
        return mutate_bytes(content, random)
    size = int.from_bytes(content[:8], "little")
    header = mutate_json(content[8 : 8 + size], random)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def mutate_png(content: bytes, random: Random) -> bytes:
    """Another size or kind of picture declared, with a valid checksum; or bytes."""
    if random.random() < 0.7 or content[12:16] != b"IHDR":
        return mutate_bytes(content, random)
    width, height = random.choice(
        ((32_000, 32_000), (1, 1), (0, 5), (2**31 - 1, 1), (100_000, 100), (1, 65_000))
    )
    depth, colours = random.choice((1, 8, 16)), random.choice((0, 2, 3, 4, 6))
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    return content[:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + content[33:]


def mutate_hdf5(content: bytes, random: Random) -> bytes:
    """A data set replaced by one of another shape or kind, by a group, or by a link; or bytes."""
    if random.random() < BYTES_ALONE:
        return mutate_bytes(content, random)
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        name = random.choice(sorted(file))
        rows, columns = file[name].shape
        del file[name]
        match random.randrange(11):
            case 0:
                file[name] = np.zeros(rows * columns, np.float32)
            case 1:
                file[name] = np.zeros((rows, columns, 1), np.float32)
            case 2:
                file.create_group(name)
            case 3:
                file[name] = [[f"{r},{c}" for c in range(columns)] for r in range(rows)]
            case 4:
                file[name] = h5py.ExternalLink("/etc/passwd", "/")
            case 5:
                file[name] = h5py.SoftLink(random.choice((f"/{name}", "/nowhere")))
            case 6:  # takes no place: nothing is stored of it
                file.create_dataset(name, (HUGE, columns), np.float32, chunks=(1024, columns))
            case 7:
                file.create_dataset(name, (rows, HUGE), np.float32, chunks=(rows, 1024))
            case 8:
                file[name] = np.full(
                    (rows, columns), random.choice((np.nan, np.inf, 1e30, -1e30)), np.float32
                )
            case 9:
                kind = random.choice((np.complex64, np.int64, np.bool_, np.float16, np.dtype([("a", "f4")])))
                file[name] = np.zeros((rows, columns), kind)
            case _:
                shape = (
                    random.choice(
                        (rows + 1, 0),
                    ),
                    random.choice((columns, 0, columns + 1)),
                )
                file[name] = np.zeros(shape, np.float32)
    return buffer.getvalue()


def mutate_checkpoint(content: bytes, random: Random) -> bytes:
    """A tensor or name in what torch.save wrote replaced; bytes of its pickle, in a valid archive; or bytes."""
    chance = random.random()
    if chance < 0.2:
        return mutate_bytes(content, random)
    if chance < 0.4:
        return _with_mutated_member(content, random)
    loaded = torch.load(io.BytesIO(content), weights_only=True)
    saved = io.BytesIO()
    torch.save(_with_odd_value(loaded, random), saved)
    return saved.getvalue()


def _with_mutated_member(content: bytes, random: Random) -> bytes:
    """One file of the archive changed, such that its checksum is right."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(written, "w") as after:
        names = before.namelist()
        pickled = next(name for name in names if name.endswith("data.pkl"))
        target = pickled if random.random() < 0.7 else random.choice(names)
        for name in names:
            data = before.read(name)
            after.writestr(zipfile.ZipInfo(name), mutate_bytes(data, random) if name == target else data)
    return written.getvalue()


def _with_odd_value(value: dict[Any, Any], random: Random) -> dict[Any, Any]:
    """One entry of a dictionary of (dictionaries of) tensors renamed, removed or replaced."""
    key = random.choice(list(value))
    rest = {k: v for k, v in value.items() if k != key}
    if isinstance(value[key], dict) and value[key] and random.random() < 0.9:
        return {**value, key: _with_odd_value(value[key], random)}
    match random.randrange(6):
        case 0:
            return rest
        case 1:
            digit = next((c for c in str(key) if c.isdigit()), "\0")
            odd = (*ODD_TEXTS, str(key).replace(digit, "99999999"), str(key).replace(digit, "-1"), 7)
            return {**rest, random.choice(odd): value[key]}
        case 2:
            return {**value, key: random.choice((None, "x", 10**22, -1, [], {}, 1.5, float("nan"), True))}
        case _ if isinstance(value[key], Tensor):
            return {**value, key: random.choice(TENSORS)(value[key])}
        case _:
            return {**value, key: torch.zeros(1)}


TENSORS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda t: t.reshape(-1),
    lambda t: t[None],
    lambda t: t.new_zeros(()),
    lambda t: t.new_zeros((0, *t.shape[1:])),
    lambda t: t.to(torch.complex64),
    lambda t: t.to(torch.int64),
    lambda t: t.to(torch.bfloat16),
    lambda t: t.to_sparse(),
    lambda t: t.new_full(t.shape, float("nan")) if t.is_floating_point() else t,
    lambda t: t.new_zeros(1).expand(HUGE, 40),
    lambda t: t.new_zeros(1).expand(10**5, 10**5),
    lambda t: torch.cat([t, t]) if t.dim() else t,
    lambda t: t.new_zeros((1,) * 12),
    lambda t: torch.empty(t.shape, device="meta"),
)
"""What a tensor becomes: of another shape, kind or size; expanded ones take no place in the file."""
