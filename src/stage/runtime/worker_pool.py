"""Worker processes that end with the process that started them, and leave its interrupts to it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from stage.errors import InputError

GRACE_SECONDS = 1.0
"""For a worker whose parent has ended to remove its temporary files."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class WorkerPool(ProcessPoolExecutor):
    """Fresh processes. If the block of `with` ends with an error or an interrupt, they end at once, and cleanly.

    They do so too when this process ends in another way, be it killed. SIGINT is blocked in them: a terminal sends it
    to every process, and each would print a traceback. Raises InputError if one of them is killed.
    """

    def __init__(self, workers: int) -> None:
        self._others = set(active_children())
        super().__init__(workers, mp_context=get_context("spawn"), initializer=_begin)

    def submit(
        self, function: Callable[Arguments, Result], /, *args: Arguments.args, **named: Arguments.kwargs
    ) -> Future[Result]:
        with _interrupts_blocked():  # a process inherits what is blocked in the thread that starts it
            return super().submit(_work, function, *args, **named)

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        if kind is not None:
            for process in set(active_children()) - self._others:
                process.terminate()
        self.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is not None and issubclass(kind, BrokenProcessPool):
            raise InputError(
                "a worker process was killed; is there enough memory for so many? Choose fewer with --workers"
            ) from None


class _Worker:
    """The state of a worker process."""

    working = ended = False


def _begin() -> None:
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one: a pipe to it is closed then, whatever ended it.

    Otherwise a worker would wait for more work forever, as all workers hold both ends of the queue that it comes by.
    """
    parent = parent_process()
    assert parent is not None, "this is a worker"
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _end(number: int, frame: FrameType | None) -> None:
    """End the process, after its work has removed its temporary files."""
    if not _Worker.working:
        os._exit(1)
    if not _Worker.ended:
        _Worker.ended = True
        raise SystemExit


def _work(function: Callable[..., Result], /, *args: Any, **named: Any) -> Result:
    _Worker.working = True
    try:
        return function(*args, **named)
    finally:
        if _Worker.ended:
            os._exit(1)
        _Worker.working = False


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Interrupts wait until the block ends. On Windows they don't: there is no such mask."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
