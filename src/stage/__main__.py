"""`stage` and `python -m stage`: the command line, and its interruption at any moment."""

from __future__ import annotations

import os
import signal
import sys
import time
from threading import Timer
from types import FrameType

from stage.errors import INTERRUPTION

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 128 + signal.SIGINT
AGAIN = 0.01
"""Seconds after which an interrupt that was swallowed is repeated."""
SAME = 1.0
"""Seconds in which a second SIGTERM is the same request: supervisors send it to a process and to its group."""


def main() -> None:
    """Run the command line. Ctrl-C ends it with one line and exit code 130, whatever is being done or imported.

    SIGTERM ends it in the same way with exit code 143: what is written is finished or removed, and no process is
    left behind.
    """
    interrupt = _Interrupt()
    for number in SIGNALS:
        signal.signal(number, interrupt.arrives)
    sys.unraisablehook = interrupt.was_swallowed
    try:
        from stage.commands import main as run

        run()
    except BaseException as error:
        # Interrupted libraries raise other errors too, such as that an import failed; Lightning exits with 1.
        code = error.code if isinstance(error, SystemExit) else 1
        if not interrupt.code or code in (None, 0):
            raise
        if code != INTERRUPTED:  # otherwise it has been said
            print(INTERRUPTION, file=sys.stderr)
        sys.exit(interrupt.code)
    finally:
        interrupt.ended = True
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)  # another one ends the process at once


class _Interrupt:
    """The exit code of an interrupt that arrived, which some libraries catch and forget; 0 before."""

    code = 0
    ended = False
    terminated = -SAME

    def arrives(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if number == signal.SIGTERM:
            repeated = now - self.terminated < SAME
            self.terminated = now
            if repeated:
                return
        self.code = self.code or 128 + number
        raise KeyboardInterrupt

    def was_swallowed(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Python prints and forgets what is raised in a finaliser or callback: raise it once more after that."""
        if unraisable.exc_type is not KeyboardInterrupt:
            sys.__unraisablehook__(unraisable)
            return
        Timer(AGAIN, self._repeat).start()

    def _repeat(self) -> None:
        if not self.ended:
            os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
