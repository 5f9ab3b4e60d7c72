"""`stage` and `python -m stage`: the command line, and its interruption at any moment."""

from __future__ import annotations

import os
import signal
import sys
from threading import Timer
from types import FrameType

from stage.errors import INTERRUPTION

INTERRUPTED = 128 + signal.SIGINT
AGAIN = 0.01
"""Seconds after which an interrupt that was swallowed is repeated."""


def main() -> None:
    """Run the command line. Ctrl-C ends it with one line and exit code 130, whatever is being done or imported."""
    interrupt = _Interrupt()
    signal.signal(signal.SIGINT, interrupt.arrives)
    sys.unraisablehook = interrupt.was_swallowed
    try:
        from stage.commands import main as run

        run()
    except BaseException as error:
        # Interrupted libraries raise other errors too, such as that an import failed; Lightning exits with 1.
        if not interrupt.arrived or (isinstance(error, SystemExit) and error.code in (None, 0, INTERRUPTED)):
            raise
        print(INTERRUPTION, file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        interrupt.ended = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # another one ends the process at once


class _Interrupt:
    """Whether an interrupt arrived, which some libraries catch and forget."""

    arrived = ended = False

    def arrives(self, number: int, frame: FrameType | None) -> None:
        self.arrived = True
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
