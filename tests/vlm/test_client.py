"""The client of servers against all that can go wrong: one line each, in bounded time, and never the key."""

from __future__ import annotations

import gzip
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest

from samples.servers import Answer, Asked, Raw, error, free_port, serving
from stage.errors import InputError
from stage.vlm.client import MOST_BYTES, SECONDS, Client, Patience, RefusedError
from stage.vlm.served_address import Key, parse_address

KEY = "sk-secret-0123456789"
HASTY = Patience(connect=1.0, reply=1.0, tries=3, pause=0.01, longest_pause=0.5, total=3.0)


def client(url: str, patience: Patience = HASTY, key: str = "") -> Client:
    return Client(parse_address(f"openai:{url}"), Key(key), patience)


def problem(
    respond: Callable[[Asked], Answer | Raw], patience: Patience = HASTY, key: str = ""
) -> tuple[str, int]:
    """The one line that a request ends in, and how many requests were sent."""
    with serving(respond) as server, pytest.raises(InputError) as raised:
        client(server.url, patience, key).post(f"{server.url}/v1/chat/completions", {"logprobs": True})
    line = str(raised.value)
    assert "\n" not in line
    assert len(line) < 600
    assert not key or key not in line
    return line, len(server.asked)


def dripping(head: bytes, drop: bytes) -> Raw:
    """A reply that never ends, a little at a time."""

    def write(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(0.05)

    return write


def test_a_reply_is_read_and_the_request_is_as_the_server_expects_it() -> None:
    with serving(lambda asked: Answer({"fine": True})) as server:
        content = client(server.url, key=KEY).post(f"{server.url}/v1/chat/completions", {"temperature": 0})
    assert json.loads(content) == {"fine": True}
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/chat/completions", {"temperature": 0})
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["content-type"] == "application/json"


def test_without_a_key_none_is_sent() -> None:
    with serving(lambda asked: Answer({})) as server:
        client(server.url).get(f"{server.url}/v1/models")
    assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(status: int) -> None:
    answers = iter([error(status, "busy"), error(status, "busy"), Answer({"fine": True})])
    with serving(lambda asked: next(answers)) as server:
        assert json.loads(client(server.url).get(f"{server.url}/x")) == {"fine": True}
    assert len(server.asked) == 3


def test_what_does_not_pass_ends_in_one_line_after_the_last_try() -> None:
    line, tries = problem(lambda asked: error(503, "the model is loading"))
    assert "503 (the model is loading)" in line
    assert tries == HASTY.tries


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 422])
def test_what_the_server_refuses_is_not_asked_again(status: int) -> None:
    line, tries = problem(lambda asked: error(status, "no such thing"))
    assert f"{status} (no such thing)" in line
    assert tries == 1


def test_a_refusal_says_why_to_the_program_as_well() -> None:
    with (
        serving(lambda asked: error(400, "logprobs are not supported")) as server,
        pytest.raises(RefusedError) as raised,
    ):
        client(server.url).get(server.url)
    assert (raised.value.status, raised.value.reason) == (400, "logprobs are not supported")


def test_an_error_of_the_server_that_names_a_field_of_the_request_is_not_asked_again() -> None:
    _, tries = problem(lambda asked: error(500, "logprobs need logits_all=True"))
    assert tries == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_missing_or_wrong_is_said_without_repeating_what_the_server_says(status: int) -> None:
    def respond(asked: Asked) -> Answer:
        return error(status, f"Incorrect API key provided: {asked.headers.get('authorization')}")

    assert "asks for a key" in problem(respond)[0]
    line, tries = problem(respond, key=KEY)
    assert "does not accept the key" in line
    assert "STAGE_API_KEY" in line
    assert "Bearer" not in line
    assert tries == 1


@pytest.mark.parametrize("status", [400, 429, 500])
def test_a_server_that_repeats_the_key_does_not_get_it_into_a_message(status: int) -> None:
    line, _ = problem(lambda asked: error(status, f"got {asked.headers['authorization']} !"), key=KEY)
    assert "got Bearer [key] !" in line


@pytest.mark.parametrize("padding", range(150, 210, 7))
def test_no_part_of_the_key_is_left_where_a_message_is_cut(padding: int) -> None:
    line, _ = problem(lambda asked: error(400, "x" * padding + asked.headers["authorization"]), key=KEY)
    assert KEY[:6] not in line


def test_a_reply_that_repeats_the_key_is_read_without_it() -> None:
    with serving(lambda asked: Answer(asked.headers["authorization"].encode())) as server:
        assert client(server.url, key=KEY).get(server.url) == b"Bearer [key]"


@pytest.mark.parametrize(
    "proxy", ["nonsense", "ftp://127.0.0.1:1", "socks5://127.0.0.1:1", "http://127.0.0.1:1"]
)
def test_a_proxy_that_can_not_be_used_is_one_line(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(InputError, match=r"can't be reached|proxy") as raised:
        client("http://server.invalid").get("http://server.invalid/v1")
    assert "\n" not in str(raised.value)


def test_the_key_is_in_no_representation_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(lambda asked: Answer({})) as server:
        asking = client(server.url, key=KEY)
        asking.get(server.url)
    assert KEY not in repr(asking) + str(asking)
    assert caplog.records
    assert KEY not in caplog.text


def test_a_redirect_is_not_followed_and_the_key_stays() -> None:
    with serving(lambda asked: Answer({})) as other:
        line, tries = problem(
            lambda asked: Answer(b"", 307, {"Location": f"{other.url}/v1?token=1"}), key=KEY
        )
    assert f"redirects to {other.url} (307)" in line
    assert "token" not in line
    assert tries == 1
    assert not other.asked


def test_the_pause_that_the_server_asks_for_is_kept() -> None:
    answers = iter([error(429, "slow down", Retry_After="1"), Answer({})])
    patience = Patience(tries=2, pause=0.01)
    with serving(lambda asked: next(answers)) as server:
        start = time.monotonic()
        client(server.url, patience).get(server.url)
    assert 1.0 <= time.monotonic() - start < 3.0


@pytest.mark.parametrize(
    "wait", ["3600", formatdate(time.time() + 3600, usegmt=True), "9" * 300], ids=["seconds", "date", "long"]
)
def test_a_server_that_asks_for_a_long_pause_is_not_waited_for(wait: str) -> None:
    line, tries = problem(lambda asked: error(429, "quota used up", Retry_After=wait))
    assert "429 (quota used up)" in line
    assert tries == 1


@pytest.mark.parametrize("wait", ["soon", "-5", "nan", "1e400", "Thu, 99 Foo 2026", formatdate(0)])
def test_a_pause_that_makes_no_sense_is_as_none(wait: str) -> None:
    _, tries = problem(lambda asked: error(503, "busy", Retry_After=wait))
    assert tries == HASTY.tries


def test_a_server_that_is_down_is_said_to_be() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(InputError, match=r"can't be reached .*is the server running") as raised:
        client(url).get(url)
    assert "\n" not in str(raised.value)


def test_a_host_that_does_not_exist_is_said_to_be() -> None:
    with pytest.raises(InputError, match="can't be reached"):
        client("http://host.invalid").get("http://host.invalid/v1/models")


def test_a_server_without_encryption_behind_https_is_one_line() -> None:
    with serving(lambda asked: Answer({})) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(InputError, match="can't be reached") as raised:
            client(url).get(url)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\xff" * 100,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1_000_000,
    ],
    ids=["nothing", "died", "chunk", "no chunk", "ssh", "noise", "length", "status", "headers"],
)
def test_a_connection_that_breaks_off_is_tried_again_and_ends_in_one_line(written: bytes) -> None:
    line, tries = problem(lambda asked: lambda connection: connection.sendall(written))
    assert "broke off" in line
    assert tries == HASTY.tries


def test_after_a_connection_that_broke_off_the_next_try_may_succeed() -> None:
    answers: list[Answer | Raw] = [Answer({}), lambda connection: connection.sendall(b"HTTP/1.1 2")]
    with serving(lambda asked: answers.pop()) as server:
        assert client(server.url).get(server.url) == b"{}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "slow",
    [
        lambda connection: time.sleep(3),
        dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
        dripping(b"HTTP/1.1 500 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    ],
    ids=["silent", "headers", "body", "error"],
)
def test_a_server_that_is_too_slow_is_waited_for_once_and_no_longer_than_said(slow: Raw) -> None:
    start = time.monotonic()
    line, tries = problem(lambda asked: slow)
    assert time.monotonic() - start < 2.5
    assert "no whole reply within 1 s" in line
    assert SECONDS in line
    assert tries == 1


def test_a_body_without_an_end_is_read_up_to_the_limit() -> None:
    sent = 0

    def write(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            connection.sendall(b" " * 65536)
            sent += 65536

    line, _ = problem(lambda asked: write, Patience(reply=20.0))
    assert "more than 8 MiB" in line
    assert sent < 3 * MOST_BYTES


def test_an_error_without_an_end_is_read_up_to_the_limit() -> None:
    def write(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            connection.sendall(b"\x1b[31mno\n" * 8192)

    line, _ = problem(lambda asked: write, Patience(reply=20.0))
    assert "refuses the request: 400" in line
    assert "\x1b" not in line


def test_a_packed_reply_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 5_000_000)
    line, _ = problem(lambda asked: Answer(bomb, headers={"Content-Encoding": "gzip"}))
    assert "packed" in line


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer({"error": "plain"}, 400), "400 (plain)"),
        (Answer({"detail": [{"loc": ["body"], "msg": "Field required"}]}, 422), "422 (Field required)"),
        (Answer({"message": "top"}, 400), "400 (top)"),
        (Answer({"error": {"message": 7}}, 400), "400"),
        (Answer({"error": []}, 400), "400"),
        (Answer([1, 2], 400), "400 ([1, 2])"),
        (Answer(b"", 400), "400"),
        (Answer(b"a\r\n\x1b[31mb\x00" + b"c" * 9000, 400, kind="text/plain"), r"400 (a \x1b[31mb\x00ccc"),
        (Answer(b"\xff\xfe\xfd", 400), "400 (\ufffd\ufffd\ufffd)"),
        (Answer(b"[" * 60_000, 400), "400 ([[["),
        (Answer(b"<html><script>alert(1)</script>", 502, kind="text/html"), "502 (a web page)"),
    ],
)
def test_an_error_of_any_form_is_one_short_line(answer: Answer, said: str) -> None:
    line, _ = problem(lambda asked: answer)
    assert said in line
    assert "\x1b" not in line
    assert "script" not in line


def test_all_tries_together_take_no_longer_than_said() -> None:
    patience = Patience(reply=1.0, tries=50, pause=0.2, total=1.0)
    start = time.monotonic()
    problem(lambda asked: error(503, "busy"), patience)
    assert time.monotonic() - start < 1.5


def test_a_client_works_where_an_event_loop_is_running() -> None:
    import asyncio

    async def cell() -> bytes:
        with serving(lambda asked: Answer({})) as server:
            return client(server.url).get(server.url)

    with ThreadPoolExecutor(1) as thread:  # where no loop runs yet: browsers of other tests leave theirs
        assert thread.submit(asyncio.run, cell()).result() == b"{}"


def test_proxies_are_not_for_servers_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(lambda asked: Answer({})) as server:
        assert client(server.url).get(server.url) == b"{}"


@pytest.mark.slow
def test_an_interruption_ends_the_waiting_at_once() -> None:
    gone = threading.Event()

    def wait(connection: socket.socket) -> None:
        connection.settimeout(20)
        if connection.recv(1) == b"":
            gone.set()

    code = (
        "import sys; from stage.vlm.client import Client; from stage.vlm.served_address import parse_address\n"
        "Client(parse_address('openai:' + sys.argv[1])).get(sys.argv[1])"
    )
    with serving(lambda asked: wait) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", code, server.url], stderr=subprocess.PIPE, text=True
        )
        while not server.asked and process.poll() is None:
            time.sleep(0.05)
        start = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert time.monotonic() - start < 3
        assert "KeyboardInterrupt" in err
        assert gone.wait(2)


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "inf", "1e9"])
def test_a_time_limit_that_makes_no_sense_is_refused(seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, seconds)
    with pytest.raises(InputError, match=f"{SECONDS}: has to be a number of seconds"):
        Patience.from_environment()


def test_the_time_limit_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, "1200")
    assert Patience.from_environment() == Patience(reply=1200.0, total=1800.0)
