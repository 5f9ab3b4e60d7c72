"""Addresses of servers: openai:URL#MODEL, checked; and the key that may be sent there"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import AnyStr
from urllib.parse import urlsplit

from stage.errors import InputError
from stage.terminal import printable
from stage.wording import quoted

PREFIX = "openai:"
OWN_KEY, OPENAI_KEY, OPENAI_URL = "STAGE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"
"""Environment variables."""
OPENAI = ("https", "api.openai.com")
EXAMPLE = "openai:http://localhost:8000/v1#MODEL"
LONGEST_ADDRESS, LONGEST_KEY = 500, 4000
VERSION = re.compile(r"/v\d+[a-z0-9]*(/[a-z]+)?$")
"""How the paths of such interfaces end: "/v1", "/v1beta/openai"."""
ENDPOINT = re.compile(r"/(chat/completions|completions|models|responses)$")
KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Address:
    """A server, and one of its models."""

    url: str
    """Without a slash at its end, user name, password, query or fragment."""
    model: str = ""
    """Empty: its only one."""

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        name = urlsplit(self.url).hostname or ""
        return name in {"localhost", "::1"} or re.fullmatch(r"127(\.\d+){3}", name) is not None

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody in between can read what is sent."""
        return self.url.startswith("https:")

    @property
    def roots(self) -> tuple[str, ...]:
        """The URLs at which the interface may be, likeliest first: people leave out "/v1"."""
        path = urlsplit(self.url).path
        if VERSION.search(path):
            return (self.url,)
        return (self.url, f"{self.url}/v1") if path else (f"{self.url}/v1", self.url)


@dataclass(frozen=True, slots=True)
class Key:
    """A key, which no output ever shows."""

    value: str = field(default="", repr=False)
    """Empty: none."""

    def hidden_in(self, text: AnyStr) -> AnyStr:
        """What a server says, without the key, which some repeat."""
        if not self.value:
            return text
        if isinstance(text, bytes):
            return text.replace(self.value.encode(), b"[key]")
        return text.replace(self.value, "[key]")


def parse_address(spec: str) -> Address:
    """openai:URL#MODEL, or openai:URL for the server's only model.

    Raises InputError if the URL is none of http or https, or holds a name, a password or a query.
    """
    url, _, model = spec.removeprefix(PREFIX).partition("#")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError(f"{_shown(url)}: is no address of a server; give one like {EXAMPLE}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or len(spec) > LONGEST_ADDRESS:
        raise InputError(f"{_shown(url)}: is no address of a server; give one like {EXAMPLE}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    host += "" if port is None else f":{port}"
    if "@" in parts.netloc or parts.query:
        what = "a user name or password" if "@" in parts.netloc else "a query"
        raise InputError(
            f"openai:{parts.scheme}://{printable(host)}: the address holds {what}, which outputs would show; leave "
            f"it out, and set the environment variable {OWN_KEY} if the server asks for a key"
        )
    path = ENDPOINT.sub("", parts.path.rstrip("/"))
    if re.search(r"[^!-~]", host + path) or printable(model) != model:
        raise InputError(f"{_shown(url)}: holds characters that no address has; give one like {EXAMPLE}")
    return Address(f"{parts.scheme}://{host}{path}", model.strip())


def key_for(address: Address) -> Key:
    """The key for a server, from the environment; the empty one if there is none for it.

    STAGE_API_KEY is for whichever server was named. OPENAI_API_KEY, which many have set for other programs, is sent
    to OpenAI and to the server of OPENAI_BASE_URL alone. Raises InputError if the key can't be one.
    """
    own = os.environ.get(OWN_KEY, "").strip()
    is_theirs = origin(address.url) in {OPENAI, origin(os.environ.get(OPENAI_URL, ""))}
    name = OPENAI_KEY if not own and is_theirs else OWN_KEY
    value = os.environ.get(name, "").strip()
    if value and (not KEY.fullmatch(value) or len(value) > LONGEST_KEY):
        raise InputError(f"{name}: holds characters that no key has, such as spaces; set it again")
    return Key(value)


def origin(url: str) -> tuple[str, str]:
    """Scheme and host with port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc.lower()


def _shown(url: str) -> str:
    """An address for a message: without what stands before an @ sign, which may be a password."""
    head, at, tail = url.rpartition("@")
    return PREFIX + quoted(f"...@{tail}" if at else head + tail)[1:-1]
