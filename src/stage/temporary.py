"""What is written beside its target and takes its place: temporary names, folders that are replaced, leftovers.

Temporary names can't be guessed, and are known as leftovers once their process is gone. One is
".NAME.HOST-PID-RANDOM.ENDING": NAME is that of the target, HOST a digest of the machine, as others may see the same
folder, and RANDOM is 64 random bits.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import platform
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import takewhile
from pathlib import Path
from secrets import token_hex

PARTIAL, OLD = "partial", "old"
"""Endings: of what is being written, and of what was moved aside for it."""
LONGEST_NAME = 40
"""Characters of the target's name; longer ones end in a digest, as names have at most 255 bytes."""
PATTERN = re.compile(
    r"\.(?P<target>.+)\.(?:(?P<host>[0-9a-f]{8})-(?P<pid>\d{1,9})-)?[0-9a-f]{16}\.(?P<ending>\w+)"
)
"""Earlier versions had neither HOST nor PID."""
TAKEN = {errno.ENOTEMPTY, errno.EEXIST}
"""Errors of renaming a folder to a name that a folder with content has."""
AT_CWD, EXCHANGE = -100, 2
"""Arguments of Linux' renameat2."""
GIVEN_UP = 24 * 3600
"""Seconds without a change after which those of other machines, and of earlier versions, are leftovers."""


def temporary_name(path: Path, ending: str) -> Path:
    """A new name in the same folder, and so on the same file system. No two writers get the same."""
    return path.parent / f".{_shortened(path.name)}.{_host()}-{os.getpid()}-{token_hex(8)}.{ending}"


def leftovers(folder: Path, ending: str, target: str | None = None) -> Iterator[Path]:
    """What processes that are gone left in a folder under temporary names, of one target or of all."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = entry.name[0] == "." and PATTERN.fullmatch(entry.name)
            if not match or match["ending"] != ending:
                continue
            if (target is None or match["target"] == _shortened(target)) and _is_left(entry, match):
                yield folder / entry.name


@contextmanager
def folder_made(folder: Path) -> Iterator[None]:
    """Make a folder; if the block fails, those that were made are removed, unless they have content."""
    made = list(takewhile(lambda path: not os.path.exists(path), (folder, *folder.parents)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise


def remove(path: Path) -> None:
    """Remove a file, a symbolic link or a folder with all that it contains. What can't be removed stays."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def remove_leftovers(folder: Path, target: str | None = None) -> None:
    """Remove what processes that are gone were writing in a folder; of one target also what they moved aside."""
    for ending in (PARTIAL, OLD) if target else (PARTIAL,):
        for path in leftovers(folder, ending, target):
            remove(path)


def bring_back(folder: Path) -> None:
    """If there is no such folder, since a process was killed after it had moved it aside, move it back."""
    if not os.path.lexists(folder):
        with suppress(OSError):  # another process did it, or may write there
            for old in leftovers(folder.parent, OLD, folder.name):
                os.rename(old, folder)


def replace_folder(made: Path, target: Path) -> None:
    """Give a folder its name; the one that has it is removed after that. Raises OSError if it can't have it."""
    if target.is_dir() and _exchanged(made, target):
        return
    while not _renamed(made, target):
        pass  # another writer took the name between the two renames: its folder is replaced in turn


def _exchanged(one: Path, other: Path) -> bool:
    """Whether two paths have changed places in one step, which not every system and file system can do."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):
        return False
    rename.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return bool(rename(AT_CWD, os.fsencode(one), AT_CWD, os.fsencode(other), EXCHANGE) == 0)


def _renamed(made: Path, target: Path) -> bool:
    """Whether a folder got its name; False if that is taken again after the old folder was moved aside."""
    old = temporary_name(target, OLD)
    try:
        _move_folder(target, old)
        os.rename(made, target)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in TAKEN:
            remove(old)
            return False
        with suppress(OSError):  # there was none, or it has not been moved
            os.rename(old, target)
        raise
    remove(old)
    return True


def _move_folder(folder: Path, to: Path) -> None:
    """Rename a folder, if there is one. Raises NotADirectoryError if it is a file."""
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        os.rename(folder, to)


def _is_left(entry: os.DirEntry[str], match: re.Match[str]) -> bool:
    if match["host"] == _host():
        return not _is_running(int(match["pid"]))
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > GIVEN_UP
    except OSError:
        return False


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def _shortened(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9]}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"


@cache
def _host() -> str:
    """Of machines and containers, which number processes anew: those of another one can't be asked for."""
    try:
        processes = str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        processes = ""
    return hashlib.sha256(f"{platform.node()} {processes}".encode()).hexdigest()[:8]
