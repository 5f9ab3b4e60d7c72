"""Files that are written whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from stage.errors import InputError


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside the file, then put it in its place."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _not_writable(path, error) from None


def check_writable(path: Path) -> None:
    """Raises InputError if a file can't be written there: for what takes long to compute, before it is."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _not_writable(path, error) from None


def _not_writable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: can't be written ({error.strerror}); choose another place")


def write_text(path: Path, content: str) -> None:
    """Gzipped if the name ends in .gz."""
    encoded = content.encode()
    write_bytes(path, gzip.compress(encoded, 6) if path.suffix == ".gz" else encoded)


def to_json(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


def write_json(path: Path, content: Any) -> None:
    """Gzipped if the name ends in .gz."""
    write_text(path, to_json(content))


def read_json(path: Path) -> Any:
    """JSON, gzipped or not. Raises InputError if it isn't there or is not JSON."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        return json.loads(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: can't be read ({error.__class__.__name__}: {error}); check the path"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({error}); is it the right file, and whole?") from None
