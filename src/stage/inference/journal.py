"""Results of long work, kept one by one next to the file that they will be in, until that is whole"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stage.errors import InputError
from stage.temporary import folder_made

ENDING = ".unfinished"
FORMAT = "stage unfinished 1"
APPENDING = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Journal:
    """Key -> result, in a file that grows by a line for each: whatever ends the process, the lines stay.

    The same work finds them again; other work is refused, so that nothing is mixed or lost. The file is made with the
    first result.
    """

    def __init__(self, out: Path, work: Mapping[str, Any]) -> None:
        """out: the file that the results will be in. work: plain values that tell this work from another.

        Raises InputError if results of other work are kept there, or another process keeps them.
        """
        self.path = out.with_name(out.name + ENDING)
        self.found: dict[str, Any] = {}
        """What was kept before."""
        self._header = {"format": FORMAT, "work": _digest(work)}
        self._number = -1
        if os.path.lexists(self.path):
            self._open(0)
            self._read()

    def keep(self, key: str, result: Any) -> None:
        """Raises InputError if it can't be written."""
        try:
            if self._number < 0:
                with folder_made(self.path.parent):
                    self._open(os.O_CREAT | os.O_EXCL)
                self._append(self._header)
            self._append([key, result])
        except OSError as error:
            raise InputError(
                f"{self.path}: can't be written ({error.strerror}); make room, or choose another place"
            ) from None

    def remove(self) -> None:
        """Remove the file: the results are where they belong."""
        self.path.unlink(missing_ok=True)
        self.close()

    @property
    def is_there(self) -> bool:
        """Whether anything is kept."""
        return self.path.exists()

    def close(self) -> None:
        """Leave the file for the next time."""
        if self._number >= 0:
            os.close(self._number)
        self._number = -1

    def _open(self, flags: int) -> None:
        try:
            number = os.open(self.path, APPENDING | flags, 0o666)
        except OSError as error:
            if flags:
                raise
            raise InputError(f"{self.path}: can't be read ({error.strerror}); remove it") from None
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(number)
            raise InputError(
                f"{self.path}: another process is writing it; wait for that, or write to another file"
            ) from None
        except OSError:  # a file system without locks
            pass
        self._number = number

    @staticmethod
    def _line(content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode() + b"\n"

    def _append(self, content: Any) -> None:
        line = self._line(content)
        while line:  # a full disk may take a part
            line = line[os.write(self._number, line) :]

    def _read(self) -> None:
        """Read what was kept. A last line that was being written when the process ended is cut off."""
        if not stat.S_ISREG(os.fstat(self._number).st_mode):
            raise self._foreign()
        with os.fdopen(os.dup(self._number), "rb") as file:
            header, own = file.readline(), self._line(self._header)
            if header != own and not (own.startswith(header) and not file.read(1)):
                raise self._foreign()
            good = len(header) if header == own else 0
            for line in file:
                content = self._parsed(line)
                if not line.endswith(b"\n") or not isinstance(content, list) or len(content) != 2:
                    break
                self.found[str(content[0])] = content[1]
                good += len(line)
        os.ftruncate(self._number, good)
        if not good:
            self._append(self._header)

    def _foreign(self) -> InputError:
        self.close()
        return InputError(
            f"{self.path}: keeps what another command has done so far (another model, film or data, or other "
            "options); finish that one, delete the file, or write to another one"
        )

    @staticmethod
    def _parsed(line: bytes) -> Any:
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            return None


def _digest(work: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()
