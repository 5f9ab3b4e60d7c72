"""Reading JSON, and the one writer: files and folders, whole or not at all.

Everything is written under a temporary name in the target's own folder (`stage.temporary`), and renamed when it
is complete. Readers see the old content or the new, never a part of it. Processes and threads may write the same
target at once: the last one to finish wins. On failure the target stays as it was, and the temporary is removed with
the folders that were made for it; what a killed process left is removed by the next one that writes there. A target
that is a symbolic link is followed, what is found at a temporary name never is. Permissions are those of the umask.
"""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from stage.errors import InputError
from stage.temporary import (
    PARTIAL,
    bring_back,
    folder_made,
    remove,
    remove_leftovers,
    replace_folder,
    temporary_name,
)

LONGEST_NAME = 255
"""Bytes of a file's name, on most file systems."""
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""In JSON, an escape for one half of a character, as those beyond U+FFFF are escaped."""
LARGEST_JSON = 2**30
"""Bytes (1 GiB) of the largest JSON file that is read, unpacked if it is gzipped."""
LARGEST_RATIO, ALWAYS_UNPACKED = 100, 2**26
"""A gzipped file may unpack to this many times its size (text to 5 to 30 times), and in any case to 64 MiB."""
PIECE = 2**22
"""Bytes that are unpacked at once."""
BEGINNING = 4096
"""The bytes by which the kind of a file is recognised."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FOREIGN = re.compile(r"\(os error (\d+)\)")
"""How libraries written in Rust, such as safetensors and tokenizers, end their messages on errors of the system."""
_cleaned: set[Path] = set()
"""The folders in which this process has looked for leftovers of files: once, as some hold very many."""


@contextmanager
def writing_file(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path to write a file at; it replaces `path` when the block ends without an error.

    Missing parent folders are created. Raises InputError if the file can't be written there.
    """
    path = Path(path)
    target = _followed(path)
    partial = temporary_name(target, PARTIAL)
    with _reported(path, partial), folder_made(target.parent):
        _check_regular(path)
        if target.parent not in _cleaned:
            _cleaned.add(target.parent)
            remove_leftovers(target.parent)
        try:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o666))
            yield partial
            os.replace(partial, target)
        finally:
            with suppress(OSError):  # it has been renamed, or never was created
                partial.unlink()


@contextmanager
def writing_folder(folder: str | Path) -> Iterator[Path]:
    """Yields an empty temporary folder; it replaces `folder` as a whole when the block ends without an error.

    The two change places in one step; the old one is removed after that. Where the file system can't do that, the old
    one is moved aside first, so that for a moment there is none: if the process is killed then, the next one to write
    or `restored` moves it back. Raises InputError if the folder can't be written there.
    """
    target = _followed(Path(folder))
    partial = temporary_name(target, PARTIAL)
    with _reported(Path(folder), partial), folder_made(target.parent):
        bring_back(target)
        remove_leftovers(target.parent, target.name)
        try:
            partial.mkdir()
            yield partial
            replace_folder(partial, target)
        finally:
            remove(partial)


def restored(folder: Path) -> Path:
    """The folder, moved back if a process was killed just when it had moved it aside to write a new one."""
    bring_back(_followed(folder))
    return folder


@contextmanager
def writing_into(folder: str | Path) -> Iterator[Path]:
    """Yields an empty temporary folder; when the block ends without an error, its files move to `folder` one by one.

    Files there of the same name are replaced, others stay: for a folder that contains more than is written now.
    Raises InputError if `folder` can't be written to.
    """
    target = _followed(Path(folder))
    partial = temporary_name(target / "files", PARTIAL)
    with _reported(Path(folder), partial), folder_made(target):
        remove_leftovers(target, "files")
        try:
            partial.mkdir()
            yield partial
            for path in sorted(partial.iterdir()):
                os.replace(path, target / path.name)
        finally:
            remove(partial)


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
    """Raises InputError if a file can't be written there: to be called before a long computation of its content.

    Folders that don't exist yet aren't made.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise InputError(f"{path}: is a folder; give the name of a file")
    _check_place(path)


def check_writable_folder(folder: Path) -> None:
    """Raises InputError if `writing_folder` can't write there: to be called before a long computation.

    Folders that don't exist yet aren't made.
    """
    if os.path.isfile(folder):
        raise InputError(f"{folder}: is a file; give the name of a folder")
    if os.path.ismount(_followed(folder)):
        raise InputError(
            f"{folder}: can't be replaced, as a file system is mounted there; give a folder in it"
        )
    _check_place(folder)


def _check_place(path: Path) -> None:
    """Raises InputError if nothing can be written at a path, followed if it is a symbolic link."""
    try:
        target = _followed(path)
        _check_regular(path)
        if any(len(os.fsencode(part)) > LONGEST_NAME for part in target.parts):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        existing = next(parent for parent in target.parents if os.path.lexists(parent))
        with TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise _not_writable(path, error) from None


def _followed(path: Path) -> Path:
    """Where a path leads to, symbolic links followed. Raises InputError if it can't be one."""
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # a NUL, or half a character
        raise InputError(f"{str(path)!r}: can't be the name of a file ({error}); choose another") from None


def _check_regular(path: Path) -> None:
    """Raises InputError for a device, a pipe or a socket, and OSError for a link to itself or a name too long."""
    with suppress(FileNotFoundError, NotADirectoryError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise InputError(f"{path}: is a device or a pipe; give the name of a file")


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
    if os.path.isdir(path):
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

    Raises InputError if the file can't be read, is too large or is not JSON, or if a text has half a character: an
    escape like \\ud83d without its other half, which no encoder of text takes and no other file can hold.
    """
    path = Path(path)
    content = read_limited(path)
    try:
        return parse_json(content.decode(json.detect_encoding(content)), str(path))
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not JSON (nor any text); is it the right file, and complete?") from None


def parse_json(text: str | bytes, where: str) -> Any:
    """The value that a JSON text in UTF-8 describes. where: the file and the place in it.

    Raises InputError if it isn't JSON, or if one of its texts has half a character.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        decoded = json.loads(text)
        if SURROGATE.search(text) and (broken := _lone_surrogate(json.dumps(decoded, ensure_ascii=False))):
            raise InputError(f"{where}: has {broken}; write the character in full, or leave it out")
        return decoded
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: is not JSON ({error}); is it the right file, and complete?") from None


def read_limited(path: Path) -> bytearray:
    """The content of a file of text, unpacked if its name ends in .gz.

    Raises InputError if it can't be read, or as soon as more is unpacked than LARGEST_JSON and LARGEST_RATIO allow.
    """
    packed, content = path.suffix == ".gz", bytearray()
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            stored = path.stat().st_size
            by_ratio = max(ALWAYS_UNPACKED, LARGEST_RATIO * stored) if packed else LARGEST_JSON
            most = min(LARGEST_JSON, by_ratio)
            while piece := file.read(PIECE):
                content += piece
                if len(content) > most:
                    what = f"unpacks to more than {most:,} bytes from {stored:,}" if packed else "is larger"
                    raise InputError(
                        f"{path}: {what}; files of text may have {LARGEST_JSON:,} bytes, and gzipped ones "
                        f"{LARGEST_RATIO} times their packed size"
                    )
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: can't be read ({reason}); check the path") from None
    return content


def _lone_surrogate(text: str) -> str:
    """The first half of a character in a text, with what comes before it; empty if there is none."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        before = text[max(0, error.start - 20) : error.start]
        return f"half a character (\\u{ord(text[error.start]):04x}) after {before!r}"
    return ""


@contextmanager
def _reported(target: Path, partial: Path) -> Iterator[None]:
    """Errors of writing as InputError with the target's name; those of other files pass as they are."""
    try:
        yield
    except InputError as error:  # of a file in the temporary folder
        raise InputError(str(error).replace(str(partial), str(target))) from None
    except OSError as error:
        if not _is_of(error, target, partial):
            raise
        raise _not_writable(target, error) from None
    except Exception as error:
        if match := FOREIGN.search(str(error)):
            raise _not_writable(target, OSError(int(match[1]), os.strerror(int(match[1])))) from None
        raise


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
    if above := next((parent for parent in path.parents if os.path.isfile(parent)), None):
        return InputError(f"{path}: can't be written ({above} is a file, not a folder); choose another place")
    advice = "make room there, or choose another place" if error.errno in FULL else "choose another place"
    return InputError(f"{path}: can't be written ({error.strerror or error}); {advice}")
