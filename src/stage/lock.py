"""One process per folder: a lock that says who holds it, and that a killed process leaves open."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import shlex
import stat
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from stage.errors import InputError
from stage.temporary import folder_made
from stage.terminal import echo

LOCK = ".stage.lock"
LONGEST_RECORD = 4096
"""Bytes that are read of a lock file, which anything may have written."""
UNSUPPORTED = {errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL}
"""Errors of locking on a file system that has no locks, such as some network file systems."""


class _OpenLock:
    """A lock file that is open. The kernel drops its lock when it is closed, however the process ends."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self.number = os.open(path, flags, 0o644)
        _OPEN.add(self)
        if not stat.S_ISREG(os.fstat(self.number).st_mode):
            self.close()
            raise OSError(errno.EINVAL, "not a regular file", str(path))

    def close(self) -> None:
        if self.number >= 0:
            os.close(self.number)
        self.number = -1


_OPEN: weakref.WeakSet[_OpenLock] = weakref.WeakSet()


def _close_all() -> None:
    """In forked processes: they would hold the lock for as long as they live."""
    for lock in list(_OPEN):
        lock.close()


os.register_at_fork(after_in_child=_close_all)


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder, which is made if it is missing, while the block runs: the file `.stage.lock` in it.

    what: what is done there, for the message to whoever comes second, such as "stage train". The file of a process
    that was killed is taken over. If the block fails, folders that were made for it are removed, unless they have
    content. Raises InputError if another process holds the folder, or nothing can be written there.
    """
    with _reported(folder):
        target = Path(os.path.realpath(folder))  # a link may lead to a folder that has to be made
    with ExitStack() as stack:
        with _reported(folder):
            stack.enter_context(folder_made(target))
            lock = _acquire(folder / LOCK)
        stack.callback(_release, lock, folder / LOCK)
        _describe(lock, what)
        yield


@contextmanager
def _reported(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if getattr(error, "errno", None) == errno.ELOOP:
            reason = "it is a symbolic link"
        raise InputError(
            f"{folder / LOCK}: can't be locked ({reason}); choose another place, or remove it"
        ) from None


def _release(lock: _OpenLock, path: Path) -> None:
    if lock.number >= 0:  # not in a forked process that came here
        if _is_at(lock, path):
            path.unlink()
        lock.close()


def _acquire(path: Path) -> _OpenLock:
    """Raises InputError if another process holds the lock, OSError if the file can't be opened."""
    while True:
        lock = _OpenLock(path)
        try:
            fcntl.flock(lock.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(path, lock) from None
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            if _holder_lives(lock):
                raise _held(path, lock) from None
            echo(
                f"{path.parent}: this file system has no locks; start no other process here at the same moment",
                file=sys.stderr,
            )
        if _is_at(lock, path):
            return lock
        lock.close()  # whoever held it has removed it meanwhile


def _is_at(lock: _OpenLock, path: Path) -> bool:
    """Whether the open file is the one at the path, and not one that was removed or replaced since."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(lock.number), path.lstat())
    return False


def _describe(lock: _OpenLock, what: str) -> None:
    record = {
        "pid": os.getpid(),
        "host": platform.node(),
        "what": what,
        "command": shlex.join(sys.argv)[:1000],
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    with suppress(OSError):  # a full disk: the lock is held all the same, but doesn't say by whom
        os.ftruncate(lock.number, 0)
        os.pwrite(lock.number, json.dumps(record).encode(), 0)


def _record(lock: _OpenLock) -> dict[str, object]:
    """What the holder wrote about itself; empty if that can't be read (yet)."""
    try:
        record = json.loads(os.pread(lock.number, LONGEST_RECORD, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _holder_lives(lock: _OpenLock) -> bool:
    """Where there are no locks: whether the process of the record runs, or may run as it is on another machine."""
    record = _record(lock)
    pid = record.get("pid")
    if not isinstance(pid, int) or not 0 < pid < 2**31:
        return False
    if record.get("host") != platform.node():
        return True
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def _held(path: Path, lock: _OpenLock) -> InputError:
    record = {name: _shown(value) for name, value in _record(lock).items()}
    lock.close()
    who = f"{record.get('what', 'another process')}"
    if "pid" in record:
        who += f", process {record['pid']} on {record.get('host')} since {record.get('since')}"
        who += f" (`{record.get('command')}`)"
    return InputError(
        f"{path.parent}: is in use by {who}; wait for it, stop it, or choose another place (its lock is {path.name})"
    )


def _shown(value: object) -> str:
    return "".join(char if char.isprintable() else "?" for char in str(value))[:300]
