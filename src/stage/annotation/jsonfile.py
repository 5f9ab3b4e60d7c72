"""JSON files, plain or gzipped: read with clear errors, written whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path
from typing import Any

from stage.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"


def read_text(path: Path) -> str:
    """A UTF-8 text file, unpacked if it is gzipped. Raises InputError naming the file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None
    try:
        if data.startswith(GZIP_MAGIC):
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error):
        raise InputError(f"{path}: the gzipped file is damaged or cut off; fetch or make it again") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a UTF-8 text file") from None


def parse_json(text: str, place: str) -> Any:
    """JSON text as Python values. Raises InputError that begins with `place`."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{place}: is not valid JSON ({error.msg} at {where})") from None
    except (RecursionError, ValueError):  # nested too deeply; a number of thousands of digits
        raise InputError(f"{place}: is JSON of no known layout") from None


def read_json(path: Path) -> Any:
    """The content of a .json or .json.gz file. Raises InputError naming the file."""
    return parse_json(read_text(path), str(path))


def write_json(path: Path, value: object, indent: int | None = None) -> None:
    """Write JSON, gzipped if the name ends with .gz. The same value always gives the same bytes."""
    data = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent).encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, compresslevel=6, mtime=0)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror})") from None
    finally:
        unfinished.unlink(missing_ok=True)
