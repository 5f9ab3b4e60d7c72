"""A client of servers: requests in JSON with time limits, retries, and replies of bounded size

A server is trusted with nothing: its replies are read up to a limit and never shown but in one short line, redirects
are not followed, and the key goes to the address that the user named alone.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from stage.errors import InputError, first_line
from stage.vlm.served_address import OWN_KEY, Address, Key, origin
from stage.vlm.served_errors import reason_of, short

if TYPE_CHECKING:
    import httpx2

Result = TypeVar("Result")

SECONDS = "STAGE_SERVER_SECONDS"
"""The environment variable with the most seconds of one request."""
PASSING = frozenset((408, 425, 429, 500, 502, 503, 504, 529))
"""States of HTTP after which the same request may succeed."""
MOST_BYTES = 8 << 20
"""Of a reply; the longest that is asked for, with the probabilities of its tokens, has 2 MB."""
MOST_ERROR_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for, in seconds."""

    connect: float = 10.0
    reply: float = 600.0
    """For one request: a server on a CPU takes minutes for some pictures."""
    tries: int = 4
    """The most requests for one reply, the first included."""
    pause: float = 0.5
    """Before the second try; twice as long before each further one."""
    longest_pause: float = 60.0
    """A server that asks to come back later than that is not waited for."""
    total: float = 900.0
    """For one reply, with all tries and pauses."""

    @classmethod
    def from_environment(cls) -> Patience:
        """The default, or as STAGE_SERVER_SECONDS says. Raises InputError if that is no number of seconds."""
        if not (given := os.environ.get(SECONDS, "").strip()):
            return cls()
        try:
            reply = float(given)
        except ValueError:
            reply = 0.0
        if not 1 <= reply <= 86400:
            raise InputError(f"{SECONDS}: has to be a number of seconds from 1 to 86400; set it again")
        return cls(reply=reply, total=1.5 * reply)


class RefusedError(InputError):
    """The server's reply is an error, and will be so again."""

    def __init__(self, message: str, status: int, reason: str) -> None:
        """status: of HTTP; reason: what the server says, untrusted and in one short line."""
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply of HTTP."""

    status: int
    content: bytes
    kind: str
    """Its content type, in lower case."""
    wait: float | None
    """Seconds until the next request, if the server asks for a pause."""
    target: str
    """Scheme and host to which it redirects, or nothing."""


class _LostError(Exception):
    """There is no reply, but another try may get one. The message is for the user."""


@dataclass(frozen=True, slots=True)
class Client:
    """Sends requests to one server."""

    address: Address
    key: Key = field(default_factory=Key)
    patience: Patience = field(default_factory=Patience)

    def get(self, url: str) -> bytes:
        """The content of a reply. Raises InputError if there is none; `RefusedError` if the server's is an error."""
        return self._tried("GET", url, None)

    def post(self, url: str, body: dict[str, Any]) -> bytes:
        """As `get`, for a request with a body in JSON."""
        return self._tried("POST", url, body)

    def _tried(self, method: str, url: str, body: dict[str, Any] | None) -> bytes:
        end = time.monotonic() + self.patience.total
        for number in range(1, self.patience.tries + 1):
            wait: float | None = None
            try:
                limit = min(self.patience.reply, end - time.monotonic())
                reply = _run(self._exchange(method, url, body, limit))
                if 200 <= reply.status < 300:
                    return reply.content
                error: InputError = self._refusal(url, reply)
                wait = reply.wait
                lasting = reply.status not in PASSING or _is_about(body, error)
            except _LostError as lost:
                error, lasting = InputError(f"{url}: {lost}"), False
            pause = self.patience.pause * 2 ** (number - 1) if wait is None else wait
            hopeless = pause > self.patience.longest_pause or time.monotonic() + pause >= end
            if lasting or hopeless or number == self.patience.tries:
                raise error from None
            time.sleep(pause)
        raise AssertionError("there is at least one try")

    async def _exchange(self, method: str, url: str, body: dict[str, Any] | None, limit: float) -> _Reply:
        """One request and its reply. Raises _LostError if the connection fails, InputError if it took too long."""
        import httpx2

        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.key.value:
            headers["Authorization"] = f"Bearer {self.key.value}"
        timeout = httpx2.Timeout(None, connect=self.patience.connect)
        try:
            async with (
                asyncio.timeout(limit),
                # Proxies are for servers elsewhere, also if the user's settings don't say so.
                httpx2.AsyncClient(timeout=timeout, trust_env=not self.address.is_local) as http,
                http.stream(method, url, headers=headers, json=body) as response,
            ):
                return await self._read(response)
        except TimeoutError:
            raise InputError(
                f"{url}: no whole reply within {limit:.0f} s; if the server is that slow, set {SECONDS} to more"
            ) from None
        except httpx2.ConnectTimeout:
            raise _LostError(
                f"can't be reached within {self.patience.connect:.0f} s; check the address and the network"
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, ImportError) as error:
            raise _LostError(self._network_problem(error)) from None

    async def _read(self, response: httpx2.Response) -> _Reply:
        """The reply, read up to its limit."""
        most = MOST_BYTES if response.is_success else MOST_ERROR_BYTES
        packed = response.headers.get("content-encoding", "identity").lower() != "identity"
        content = bytearray()
        async for piece in response.aiter_raw():
            content += piece
            if len(content) > most or packed:
                break
        if response.is_success and (packed or len(content) > most):
            what = "is packed, which was not asked for" if packed else f"has more than {most >> 20} MiB"
            raise InputError(f"{response.url}: the reply {what}; is it the address of a model's server?")
        kind = response.headers.get("content-type", "").lower()
        wait = _seconds(response.headers.get("retry-after", ""))
        target = "://".join(origin(response.headers.get("location", "")))
        kept = b"" if packed else self.key.hidden_in(bytes(content[:most]))
        return _Reply(response.status_code, kept, kind, wait, short(self.key.hidden_in(target)))

    def _refusal(self, url: str, reply: _Reply) -> RefusedError:
        """The error that a reply is."""
        reason = reason_of(reply.content, reply.kind)
        said = f"{reply.status}{f' ({reason})' if reason else ''}"
        if reply.status in {401, 403}:  # which often repeat the key that they got, or a part of it
            asked = "does not accept the key" if self.key.value else "asks for a key"
            problem = f"the server {asked} ({reply.status}); set the environment variable {OWN_KEY}"
        elif 300 <= reply.status < 400:
            problem = f"redirects to {reply.target} ({reply.status}), where nothing is sent; give that address itself"
        elif reply.status == 404:
            problem = f"not found: {said}; check the address and the model's name"
        elif reply.status == 429:
            problem = f"too many requests, or nothing left to spend: {said}; try again later"
        elif reply.status >= 500:
            problem = f"the server fails: {said}; see what it prints, or try again later"
        else:
            problem = f"the server refuses the request: {said}"
        return RefusedError(f"{url}: {problem}", reply.status, reason)

    def _network_problem(self, error: Exception) -> str:
        import httpx2

        said = short(self.key.hidden_in(first_line(error)))
        if isinstance(error, httpx2.ConnectError):
            return f"can't be reached ({said}); is the server running, and the address right?"
        if isinstance(
            error, httpx2.ProxyError | ValueError | ImportError
        ):  # such as a proxy of an unknown kind
            return f"can't be reached through the proxy ({said}); check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
        return f"the connection broke off ({said}); see what the server prints"


def _is_about(body: dict[str, Any] | None, error: InputError) -> bool:
    """Whether an error is about the request, by what the server says, as then another try changes nothing."""
    if not isinstance(error, RefusedError) or error.status not in {500, 501}:
        return False
    named = any(name in error.reason for name in body or {} if name not in {"model", "messages"})
    return named or re.search("support|invalid|unknown|unexpected", error.reason, re.IGNORECASE) is not None


def _seconds(wait: str) -> float | None:
    """The seconds of a header Retry-After: a number, or a date."""
    try:
        seconds = (
            float(wait) if wait.strip().isdecimal() else parsedate_to_datetime(wait).timestamp() - time.time()
        )
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return max(0.0, seconds)


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs work on the loop, and stops it if this thread is interrupted."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """An event loop in a thread of its own: in the main one a notebook's is running, and an interruption arrives."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="stage-servers", daemon=True).start()
    return loop
