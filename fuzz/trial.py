"""A trial: something is done in a process of its own, within limits of time and memory, and judged by how it ends.

The process is forked, so that what it imports is there already, and nothing that it breaks outlives it. Needs Linux.
"""

from __future__ import annotations

import faulthandler
import os
import re
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

SECONDS = 20
"""Of computing, above which an input counts as endless."""
WAIT = 60
"""Seconds after which a trial is ended, with its stack printed: more than SECONDS, since the machine may be busy."""
GRACE = 10
"""Seconds more after which a process that doesn't end by itself is killed."""
ADDRESS_SPACE = 6 << 30
"""Bytes above those at the start of a trial; beyond them, allocations fail."""
MEGABYTES = 1500
"""Of memory above that at the start of a trial; an input that takes more counts as a bomb."""
UNUSABLE = 2
"""Exit code of a command for input that can't be used."""
READ, REFUSED = "read", "refused"
WARNING = re.compile(r"^\S*:\d+: \w*Warning: ", re.MULTILINE)
FRAME = re.compile(r'File ".*?/(stage/[^"]+)", line (\d+)')


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input."""

    result: str
    """`READ`, `REFUSED`, or in a few words what went wrong."""
    reason: str
    """What it printed last: the error, or where a traceback ends."""
    seconds: float
    """Of computing."""
    megabytes: float
    """Peak memory above that at the start."""
    output: str = ""
    """All that it printed."""

    @property
    def failed(self) -> bool:
        return self.result not in (READ, REFUSED)


def attempt(action: Callable[[], object], folder: Path, wait: float = WAIT) -> Outcome:
    """Do something with `folder` as the working directory; what is printed goes to files next to it."""
    out, err = folder.with_name("stdout"), folder.with_name("stderr")
    start = folder.with_name("kilobytes")
    process = os.fork()
    if not process:
        _child(action, folder, out, err, start, wait)
    status, usage = _waited(process, wait + GRACE)
    seconds = usage.ru_utime + usage.ru_stime
    printed = [path.read_text("utf-8", "replace") if path.exists() else "" for path in (out, err)]
    megabytes = (usage.ru_maxrss - int(start.read_text() or 0)) / 1024 if start.exists() else 0.0
    result, reason = _judged(status, printed[1], seconds, megabytes)
    return Outcome(result, reason, seconds, megabytes, "\n".join(printed))


def _child(
    action: Callable[[], object], folder: Path, out: Path, err: Path, start: Path, wait: float
) -> NoReturn:
    """Writes its memory at the start to a file, in kilobytes: less than the parent's, not all of which it touches."""
    code = 70
    try:
        os.setpgid(0, 0)
        for number, path in ((0, Path(os.devnull)), (1, out), (2, err)):
            opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY)
            os.dup2(opened, number)
        sys.stdout, sys.stderr = open(1, "w", encoding="utf-8"), open(2, "w", encoding="utf-8")  # noqa: SIM115
        faulthandler.enable(2)
        faulthandler.dump_traceback_later(wait, exit=True, file=2)
        limit = _status("VmSize") * 1024 + ADDRESS_SPACE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(folder)
        start.write_text(str(_status("VmRSS")))
        action()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _waited(process: int, seconds: float) -> tuple[int, resource.struct_rusage]:
    """How a process ended, as os.waitpid says it, and what it used. The processes that it left are killed."""
    ended = os.pidfd_open(process)
    if not select.select([ended], [], [], seconds)[0]:
        os.kill(process, signal.SIGKILL)
    os.close(ended)
    _, status, usage = os.wait4(process, 0)
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    return status, usage


def _judged(status: int, err: str, seconds: float, megabytes: float) -> tuple[str, str]:
    """The result of a trial and the reason for it."""
    lines = err.strip().splitlines() or [""]
    frames = FRAME.findall(err)
    place = ":".join(frames[-1]) if frames else ""
    if "Timeout (" in err:
        innermost = ":".join(frames[0]) if frames else ""  # of a running process, the innermost comes first
        return "too long", f"{innermost} (over {WAIT} s)"
    if os.WIFSIGNALED(status):
        return "crash", f"{signal.Signals(os.WTERMSIG(status)).name} {':'.join(frames[0]) if frames else ''}"
    if megabytes > MEGABYTES:
        return "memory", f"{megabytes:,.0f} MB {place or lines[-1][:200]}"
    if "Traceback (most recent call last)" in err:
        return "traceback", f"{lines[-1][:200]} ({place})"
    if warning := WARNING.search(err):
        return "warning", err[warning.start() :].splitlines()[0][:300]
    if seconds > SECONDS:
        return "too long", f"{seconds:.0f} s {lines[-1][:200]}"
    code = os.WEXITSTATUS(status)
    if code == UNUSABLE:
        if lines[-1].startswith("stage"):
            return REFUSED, lines[-1]
        return "not one line", lines[-1][:200]
    return (READ, lines[-1][:200]) if code in (0, 1) else ("exit code", f"{code}: {lines[-1][:200]}")


def _status(field: str) -> int:
    """A size of this process in kilobytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])
