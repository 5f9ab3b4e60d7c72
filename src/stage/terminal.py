"""The terminal: text of any origin is printed as it is, never as markup, and its control characters escaped."""

from __future__ import annotations

import re
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves the cursor, colours or hides text, reverses its direction, or can't be encoded. A newline and a tab can
stay."""


def printable(text: str) -> str:
    """The text with control characters escaped as in Python: no file's name and no question commands the terminal."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def echo(line: object = "", *, file: TextIO | None = None) -> None:
    """Print a line on standard output, or on `file`, at once."""
    print(printable(str(line)), file=file, flush=True)


class PlainConsole(Console):
    """A console of rich on which strings mean what they say, those in tables too: no markup, emoji codes or colours.

    Styles are given as arguments.
    """

    def __init__(self, **options: Any) -> None:
        """options: as rich's, such as `stderr` and `width`."""
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich calls this for every string that it is given."""
        return super().render_str(printable(text), **options)
