"""What a server says is wrong: untrusted text of any kind, as one short line"""

from __future__ import annotations

import json
from typing import Any

from stage.terminal import printable

LONGEST = 200
"""Characters that are shown of what a server says."""


def short(text: str) -> str:
    """One line without control characters, of at most `LONGEST` characters."""
    line = printable(" ".join(text[: 20 * LONGEST].split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 6]} [...]"


def reason_of(content: bytes, kind: str) -> str:
    """The reason that the body of an error gives. kind: its content type. Empty if it gives none."""
    if "html" in kind or content.lstrip()[:1] == b"<":
        return "a web page"
    text = content.decode("utf-8", "replace")
    try:
        return short(_message(json.loads(text)) or text)
    except (ValueError, RecursionError):
        return short(text)


def _message(value: Any) -> str:
    """The message in an error of OpenAI's form, FastAPI's or others."""
    for name in ("error", "message", "detail", "msg"):
        if isinstance(value, dict) and value.get(name):
            value = value[name]
            if isinstance(value, list):
                value = value[0]
    return value if isinstance(value, str) else ""
