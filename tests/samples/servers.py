"""Servers with OpenAI's interface, in threads of the tests: a polite one, and any other"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "tiny"


@dataclass(frozen=True)
class Asked:
    """A request that a server got."""

    method: str
    path: str
    headers: Mapping[str, str]
    """With names in lower case."""
    body: Any

    @property
    def text(self) -> str:
        """The texts of the prompt."""
        content = self.body["messages"][0]["content"]
        return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)

    @property
    def pictures(self) -> int:
        """Of the prompt."""
        content = self.body["messages"][0]["content"]
        return 0 if isinstance(content, str) else sum(part["type"] == "image_url" for part in content)


@dataclass(frozen=True)
class Answer:
    """A reply. Its length is that of the body, unless `headers` say otherwise."""

    body: Any = b""
    """Bytes, or what becomes JSON."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json"


Raw = Callable[[socket.socket], None]
"""Writes whatever it likes to a connection."""
Respond = Callable[[Asked], Answer | Raw]


@dataclass
class Served:
    """A server that runs."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    """All requests, in order."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def chats(self) -> list[Asked]:
        """The requests to the model."""
        return [asked for asked in self.asked if asked.path.endswith("/chat/completions")]


@contextmanager
def serving(respond: Respond) -> Iterator[Served]:
    """Within, a server answers as `respond` does, on a free port of this machine."""
    served = Served(0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _respond(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, json.loads(content) if content else None)
            served.asked.append(asked)
            answer = respond(asked)
            self.close_connection = True
            with contextlib.suppress(OSError):  # the client may have had enough
                if isinstance(answer, Answer):
                    self._send(answer)
                else:
                    answer(self.connection)

        def _send(self, answer: Answer) -> None:
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            headers = {"Content-Type": answer.kind, "Content-Length": str(len(body)), **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        served.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield served
        server.shutdown()


def free_port() -> int:
    """A port at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def error(status: int, message: str, **headers: str) -> Answer:
    """An error in OpenAI's form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer({"error": {"message": message}}, status, named)


def models(*names: str, **keys: Any) -> Answer:
    """The list of models."""
    return Answer({"object": "list", "data": [{"id": name, "object": "model", **keys} for name in names]})


def likely(*chances: tuple[str, float], written: str | None = None) -> dict[str, Any]:
    """A token with the likeliest ones and the logarithms of their probabilities; the first one was written."""
    listed = [{"token": token, "logprob": chance, "bytes": list(token.encode())} for token, chance in chances]
    first = {**listed[0], **({} if written is None else {"token": written})}
    return {**first, "top_logprobs": listed}


def completion(
    text: Any, *tokens: dict[str, Any], finish: str = "stop", prompt_tokens: int | None = None
) -> Answer:
    """A model's reply. tokens: see `likely`; none for a server that lists none."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
    }
    if tokens:
        choice["logprobs"] = {"content": list(tokens)}
    usage = {} if prompt_tokens is None else {"usage": {"prompt_tokens": prompt_tokens}}
    return Answer({"id": "1", "object": "chat.completion", "model": MODEL, "choices": [choice], **usage})


@dataclass
class Polite:
    """A server as it should be, with a model that always replies the same."""

    reply: Callable[[Asked], Answer] = lambda asked: completion("A")
    """Without the tokens of the prompt, which are added."""
    picture_tokens: int = 64
    """0: pictures are left out, without a word."""
    room: int | None = None
    """Tokens of a prompt; the prompt is refused if it has more."""
    key: str = ""
    """That it asks for."""

    def __call__(self, asked: Asked) -> Answer:
        if self.key and asked.headers.get("authorization") != f"Bearer {self.key}":
            return error(401, f"Incorrect API key provided: {asked.headers.get('authorization', '')}")
        if asked.path == "/v1/models":
            return models(MODEL)
        if asked.path != "/v1/chat/completions":
            return Answer({"detail": "Not Found"}, 404)
        tokens = len(asked.text) // 4 + 5 + self.picture_tokens * asked.pictures
        if self.room is not None and tokens > self.room:
            return error(
                400, f"This model's maximum context length is {self.room} tokens, you requested {tokens}"
            )
        answer = self.reply(asked)
        if answer.status != 200 or not isinstance(answer.body, dict):
            return answer
        return Answer({"usage": {"prompt_tokens": tokens}, **answer.body})
