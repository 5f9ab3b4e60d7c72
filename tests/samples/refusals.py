"""Input that is refused, or isn't."""

from __future__ import annotations

from collections.abc import Callable

from stage.errors import InputError


def refused(use: Callable[[], object]) -> str | None:
    """The message with which a use of bad input is refused, None if it isn't; any other error is raised."""
    try:
        use()
    except InputError as error:
        return str(error)
    return None
