"""Reading JSON, and the one writer: files and folders, whole or not at all.

Everything is written under a temporary name in the target's own folder, ".NAME.RANDOM.partial", and renamed when it
is complete. Readers see the old content or the new, never a part of it. Processes and threads may write the same
target at once: the last one to finish wins. On failure the target stays as it was and the temporary is removed; only
a killed process leaves one behind. Permissions are those that the umask gives.
"""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import shutil
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from typing import Any

from stage.errors import InputError

SHOWN_CHARACTERS = 40
"""Of the target's name in a temporary name, which must not exceed the file system's limit of 255 bytes."""
TAKEN = {errno.ENOTEMPTY, errno.EEXIST}
"""Errors of renaming a folder to a name that a folder with content has."""
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""In JSON, an escape for one half of a character, as those beyond U+FFFF are escaped."""
BEGINNING = 4096
"""The bytes by which the kind of a file is recognised."""


@contextmanager
def writing_file(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path to write a file at; it replaces `path` when the block ends without an error.

    Missing parent folders are created. Raises InputError if the file can't be written there.
    """
    path = Path(path)
    partial = _hidden(path, "partial")
    with _reported(path, partial):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            os.replace(partial, path)
        finally:
            with suppress(OSError):  # it has been renamed, or never was created
                partial.unlink()


@contextmanager
def writing_folder(folder: str | Path) -> Iterator[Path]:
    """Yields an empty temporary folder; it replaces `folder` as a whole when the block ends without an error.

    The old folder is moved aside before the new one takes its name, and removed after that; if renaming fails, it is
    moved back. Between the two renames there is no folder of that name for a moment. A symbolic link is followed.
    Raises InputError if the folder can't be written there.
    """
    target = Path(os.path.realpath(folder))
    partial = _hidden(target, "partial")
    with _reported(Path(folder), partial):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.mkdir()
            yield partial
            _replace_folder(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def writing_into(folder: str | Path) -> Iterator[Path]:
    """Yields an empty temporary folder; when the block ends without an error, its files move to `folder` one by one.

    Files there of the same name are replaced, others stay: for a folder that contains more than is written now.
    Raises InputError if `folder` can't be written to.
    """
    folder = Path(folder)
    partial = _hidden(folder / "files", "partial")
    with _reported(folder, partial):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            partial.mkdir()
            yield partial
            for path in sorted(partial.iterdir()):
                os.replace(path, folder / path.name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Raises InputError if the file can't be written there."""
    with writing_file(path) as partial:
        partial.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write text as UTF-8, gzipped if the name ends in .gz: the same text gives the same bytes.

    Raises InputError if it has half a character (a lone surrogate), or can't be written there.
    """
    if broken := _lone_surrogate(content):
        raise InputError(
            f"{path}: can't be written, since the text has {broken}; correct it where it comes from"
        )
    encoded = content.encode()
    write_bytes(path, gzip.compress(encoded, 6, mtime=0) if Path(path).suffix == ".gz" else encoded)


def to_json(content: Any) -> str:
    """JSON on one line, without spaces."""
    return json.dumps(content, separators=(",", ":"))


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON, gzipped if the name ends in .gz."""
    write_text(path, to_json(content))


def check_inputs(paths: Iterable[Path]) -> None:
    """Raises InputError naming all files that don't exist: to be called before any of them is read."""
    if absent := [str(path) for path in dict.fromkeys(paths) if not path.exists()]:
        which = "file" if len(absent) == 1 else "files"
        raise InputError(f"{', '.join(absent)}: no such {which}; check the path")


def check_writable(path: str | Path) -> None:
    """Raises InputError if a file can't be written there: to be called before a long computation of its content."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _not_writable(path, error) from None


@dataclass(frozen=True)
class OutputKind:
    """A kind of file that commands write, and how one is recognised."""

    name: str
    """With its article, for messages: "a prediction file"."""
    matches: Callable[[Path], bool]
    """Whether an existing file is of this kind. It may raise InputError, which means that it isn't."""
    endings: tuple[str, ...] = ()
    """The endings that its name may have, in lower case; any if there are none."""


def check_output(
    path: str | Path, kind: OutputKind, inputs: Iterable[Path] = (), overwrite: bool = False
) -> None:
    """Check that a command may write its output there; to be called before any work is done.

    inputs: the files that the command reads; overwrite: replace whatever file is there. Raises InputError if the
    output is an input, a file of another kind, or a folder, if its name has the ending of another kind, or if it
    can't be written.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    if kind.endings and path.suffix.lower() not in kind.endings:
        endings = " or ".join(kind.endings)
        raise InputError(f"{path}: {kind.name} is written here; give a name that ends in {endings}")
    if not overwrite:
        if any(_is_same(path, read) for read in inputs):
            raise InputError(
                f"{path}: is read by this command; write to another file, or replace it with --overwrite"
            )
        if os.path.lexists(path) and not _is_of_kind(path, kind):
            raise InputError(
                f"{path}: exists and is not {kind.name}; write to another file, or replace it with --overwrite"
            )
    check_writable(path)


def _is_same(path: Path, other: Path) -> bool:
    """Whether two paths name one file, whether or not it exists."""
    try:
        return path.samefile(other)
    except OSError:
        return os.path.realpath(path) == os.path.realpath(other)


def _is_of_kind(path: Path, kind: OutputKind) -> bool:
    try:
        return not path.stat().st_size or kind.matches(path)  # an empty file has nothing to lose
    except (InputError, OSError, ValueError):
        return False


def starts_with(path: Path, pattern: str) -> bool:
    """Whether the text of a file, gzipped if its name ends in .gz, begins with a match of a regular expression.

    Reads no more than its first characters, as prediction files can be large. Raises OSError if it can't be read.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return re.match(pattern, file.read(BEGINNING).decode("utf-8", "replace")) is not None


def read_json(path: str | Path) -> Any:
    """Read JSON, gzipped if the name ends in .gz.

    Raises InputError if the file can't be read or is not JSON, or if a text has half a character: an escape like
    \\ud83d without its other half, which no encoder of text takes and no other file can hold.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        text = content.decode(json.detect_encoding(content))
        decoded = json.loads(text)
        if SURROGATE.search(text) and (broken := _lone_surrogate(json.dumps(decoded, ensure_ascii=False))):
            raise InputError(f"{path}: has {broken}; write the character in full, or leave it out")
        return decoded
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: can't be read ({reason}); check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not JSON (nor any text); is it the right file, and complete?") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({error}); is it the right file, and complete?") from None


def _lone_surrogate(text: str) -> str:
    """The first half of a character in a text, with what comes before it; empty if there is none."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        before = text[max(0, error.start - 20) : error.start]
        return f"half a character (\\u{ord(text[error.start]):04x}) after {before!r}"
    return ""


def _hidden(path: Path, ending: str) -> Path:
    """A new name in the same folder, and so on the same file system. Random: no two writers get the same."""
    return path.parent / f".{path.name[:SHOWN_CHARACTERS]}.{token_hex(8)}.{ending}"


def _replace_folder(made: Path, target: Path) -> None:
    while not _renamed(made, target):
        pass  # another writer took the name between the two renames: its folder is replaced in turn


def _renamed(made: Path, target: Path) -> bool:
    """Whether a folder got its name; False if that is taken again after the old folder was moved aside."""
    old = _hidden(target, "old")
    try:
        _move_folder(target, old)
        os.rename(made, target)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in TAKEN:
            shutil.rmtree(old, ignore_errors=True)
            return False
        with suppress(OSError):  # there was none, or it has not been moved
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
    return True


def _move_folder(folder: Path, to: Path) -> None:
    """Rename a folder, if there is one. Raises NotADirectoryError if it is a file."""
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        os.rename(folder, to)


@contextmanager
def _reported(target: Path, partial: Path) -> Iterator[None]:
    """Errors of writing as InputError; those of other files that a block reads or writes pass as they are."""
    try:
        yield
    except OSError as error:
        if not _is_of(error, target, partial):
            raise
        raise _not_writable(target, error) from None


def _is_of(error: OSError, target: Path, partial: Path) -> bool:
    """Whether an error names the target, one of its parents or what is in the temporary, or no file at all."""
    if not isinstance(error.filename, str | bytes | os.PathLike):
        return True
    named = Path(os.fsdecode(error.filename)).absolute()
    resolved = Path(os.path.realpath(target))
    return (
        target.absolute().is_relative_to(named)
        or resolved.is_relative_to(named)
        or named.is_relative_to(partial.absolute())
    )


def _not_writable(path: Path, error: OSError) -> InputError:
    if above := next((parent for parent in path.parents if parent.is_file()), None):
        return InputError(f"{path}: can't be written ({above} is a file, not a folder); choose another place")
    return InputError(f"{path}: can't be written ({error.strerror or error}); choose another place")
