"""openai:URL#MODEL, and the key that is sent there."""

from __future__ import annotations

import pytest

from stage.errors import InputError
from stage.vlm.served_address import Address, Key, key_for, parse_address


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STAGE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("spec", "url", "model"),
    [
        ("openai:http://localhost:8000/v1#qwen", "http://localhost:8000/v1", "qwen"),
        ("openai:http://localhost:8000/v1/", "http://localhost:8000/v1", ""),
        ("openai:http://localhost:11434#qwen2.5vl:7b", "http://localhost:11434", "qwen2.5vl:7b"),
        ("openai:https://api.example.org/v1/chat/completions#a/b#c", "https://api.example.org/v1", "a/b#c"),
        ("openai:HTTP://Example.org:80", "http://example.org:80", ""),
        ("openai:http://[::1]:8000/v1#x", "http://[::1]:8000/v1", "x"),
    ],
)
def test_an_address_is_taken_apart(spec: str, url: str, model: str) -> None:
    assert parse_address(spec) == Address(url, model)


@pytest.mark.parametrize(
    ("url", "roots"),
    [
        ("http://localhost:8000/v1", ["http://localhost:8000/v1"]),
        ("http://localhost:8000", ["http://localhost:8000/v1", "http://localhost:8000"]),
        ("http://host/proxy", ["http://host/proxy", "http://host/proxy/v1"]),
        ("https://host/v1beta/openai", ["https://host/v1beta/openai"]),
    ],
)
def test_the_interface_is_looked_for_with_v1_and_without(url: str, roots: list[str]) -> None:
    assert list(parse_address(f"openai:{url}").roots) == roots


@pytest.mark.parametrize(
    "spec",
    [
        "openai:", "openai:#m", "openai:localhost:8000", "openai:ftp://host/v1", "openai:file:///etc/passwd",
        "openai:http://", "openai:http://host:99999/v1", "openai:http://host:x/v1", "openai:http://[::1/v1",
        "openai:http://ho st/v1", "openai:http://host/v1\x1b[31m#m", "openai:http://host/v1#m\x1b[31m",
        "openai:http://host/é", "openai:http://host/v1#" + "m" * 600,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_one_line(spec: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_address(spec)
    line = str(raised.value)
    assert line.startswith("openai:")
    assert "give one like openai:http://localhost:8000/v1#MODEL" in line
    assert line.isprintable()
    assert len(line) < 300


@pytest.mark.parametrize(
    "spec",
    [
        "openai:http://user:hunter2@host/v1#m",
        "openai:http://hunter2@host/v1",
        "openai:https://host/v1?api-key=hunter2",
        "openai:http://user:hunter2@host:x/v1#m",
        "openai:ftp://user:hunter2@host/v1#m",
        "openai:http://user:hunter2@/v1#m",
    ],
)
def test_passwords_in_an_address_are_refused_and_not_shown(spec: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_address(spec)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost/v1", True), ("http://127.0.0.1:8000", True), ("http://[::1]/v1", True),
        ("http://localhost.example.org/v1", False), ("http://127.0.0.1.example.org", False),
        ("http://10.0.0.1", False),
    ],
)  # fmt: skip
def test_it_is_known_which_servers_are_on_this_machine(url: str, local: bool) -> None:
    assert parse_address(f"openai:{url}").is_local is local


def test_the_own_key_is_for_any_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE_API_KEY", " own ")
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    assert key_for(parse_address("openai:http://10.0.0.1/v1")) == Key("own")
    assert key_for(parse_address("openai:https://api.openai.com/v1")) == Key("own")


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("https://api.openai.com/v1", "theirs"),
        ("https://api.openai.com", "theirs"),
        ("http://api.openai.com/v1", ""),
        ("https://api.openai.com.example.org/v1", ""),
        ("https://example.org/v1", ""),
        ("http://localhost:8000/v1", ""),
    ],
)
def test_openais_key_is_sent_to_openai_alone(url: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    assert key_for(parse_address(f"openai:{url}")) == Key(value)


def test_openais_key_is_sent_to_the_server_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    assert key_for(parse_address("openai:http://localhost:8000")) == Key("theirs")
    assert key_for(parse_address("openai:http://localhost:8001")) == Key()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://[")
    assert key_for(parse_address("openai:http://localhost:8000")) == Key()


@pytest.mark.parametrize("value", ["two words", "a\nb", "é", "x" * 5000])
def test_a_key_that_can_be_none_is_refused_and_not_shown(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE_API_KEY", value)
    with pytest.raises(InputError, match="STAGE_API_KEY: holds characters that no key has") as raised:
        key_for(parse_address("openai:http://localhost/v1"))
    assert value not in str(raised.value)


def test_a_key_is_not_in_its_representation() -> None:
    assert "abc" not in repr(Key("abc"))
