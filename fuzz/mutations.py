"""Mutations of valid files: bytes, text and JSON values changed at random, from a seed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]
"""The content of a valid file, and the source of all randomness -> other content."""

ODD_BYTES = (
    b"\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\r", b"\n\n", b"{", b"[", b'"', b"<", b"%s", b"-1",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b[31m",
)  # fmt: skip
ODD_NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2, 2**31, 2**63, 10**9, 10**12, 10**22, -(10**22), 10**400, 1e308, -1e308, 0.5, float("nan"),
    float("inf"), 1e-320,
)  # fmt: skip
ESCAPED = "escaped"
"""In names that lead out of a folder; no file may ever begin with it."""
ODD_TEXTS = (
    "", " ", "\0", f"../../../{ESCAPED}", f"../{ESCAPED}", "/etc/passwd", "[/b]", "[red]x", "\ud800", "a" * 5000,
    "é" * 300, "<script>", "%s%n", "CON", ".", "..", "\u202e", "1e999", "null", "e\u0301", "\n", "a/b", "<eos>",
    "<a" * 20_000, "{" * 20_000, "{\\i1" * 10_000, "-1:1.1 " * 10_000, "x " * 20_000,
)  # fmt: skip
RAW = {
    "\x01digits": "1" * 5000,
    "\x01exponent": "1e400",
    "\x01nested": "[" * 100_000,
    "\x01closed": "[" * 500 + "]" * 500,
    "\x01objects": '{"a":' * 100_000,
    "\x01list": "[" + "0," * 200_000 + "0]",
}
"""What stands for text that no JSON value is written as -> that text."""
BOMB_BYTES, BOMB_MEMBERS = 1 << 24, 256


def mutate_bytes(content: bytes, random: Random) -> bytes:
    """One to four changes: bytes replaced, removed, repeated, inserted, or the end cut off."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        size = len(data)
        start = random.randrange(size + 1)
        if random.random() < 0.3:  # headers decide more than what follows them
            start = min(start, random.randrange(256))
        end = min(size, start + random.choice((1, 1, 2, 8, 64, 1024)))
        match random.randrange(8):
            case 0:
                data[start:end] = random.randbytes(end - start)
            case 1:
                del data[start:end]
            case 2:
                data[start:start] = data[start:end]
            case 3:
                odd = random.choice(ODD_BYTES)
                data[start : start + len(odd)] = odd
            case 4:
                data[start:start] = random.choice(ODD_BYTES) * random.choice((1, 1, 8))
            case 5 if random.random() < 0.3:
                del data[start:]
            case _ if start < size:
                data[start] ^= 1 << random.randrange(8)
    return bytes(data)


def mutate_text(content: bytes, random: Random) -> bytes:
    """Lines repeated, removed, swapped, or one of their words replaced; or bytes, as `mutate_bytes` does."""
    lines = content.split(b"\n")
    if random.random() < 0.4 or len(lines) < 2:
        return mutate_bytes(content, random)
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(6):
        case 0:
            lines[first], lines[second] = lines[second], lines[first]
        case 1:
            del lines[first]
        case 2:
            lines.insert(first, lines[second])
        case 3:
            lines[first] = lines[first] * random.choice((2, 50, 2000))
        case _:
            words = lines[first].split(b" ")
            words[random.randrange(len(words))] = _odd_word(random).encode("utf-8", "surrogatepass")
            lines[first] = b" ".join(words)
    return b"\n".join(lines)


def mutate_json(content: bytes, random: Random) -> bytes:
    """A value somewhere in the file replaced, removed, renamed or nested; or bytes, as `mutate_bytes` does."""
    if random.random() < 0.15:
        return mutate_bytes(content, random)
    value = json.loads(content)
    for _ in range(random.choice((1, 1, 1, 3))):
        value = changed(value, random)
    text = json.dumps(value)
    for marker, raw in RAW.items():
        text = text.replace(json.dumps(marker), raw)
    return text.encode("utf-8", "surrogatepass")


def mutate_json_lines(content: bytes, random: Random) -> bytes:
    """A line of JSON changed, as `mutate_json` does; or lines, as `mutate_text` does."""
    if random.random() < 0.2:
        return mutate_text(content, random)
    lines = content.splitlines()
    line = random.randrange(len(lines))
    lines[line] = mutate_json(lines[line], random)
    return b"\n".join(lines)


def gzipped(mutation: Mutation) -> Mutation:
    """A mutation of what a .gz file contains; now and then of its bytes, or gigabytes of spaces after it."""

    def mutate(content: bytes, random: Random) -> bytes:
        match random.randrange(30):
            case 0:
                return content + _spaces() * BOMB_MEMBERS
            case 1 | 2 | 3 | 4 | 5 | 6:
                return mutate_bytes(content, random)
            case _:
                return gzip.compress(mutation(gzip.decompress(content), random), 1, mtime=0)

    return mutate


@lru_cache(1)
def _spaces() -> bytes:
    """A member of a .gz file that unpacks to BOMB_BYTES; members may follow one another."""
    return gzip.compress(b" " * BOMB_BYTES, 9, mtime=0)


def changed(value: Any, random: Random) -> Any:
    """A value of JSON or YAML with a change in it, or in something that it contains."""
    if isinstance(value, dict) and value and random.random() < 0.93:
        key = random.choice(list(value))
        match random.randrange(10):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {(random.choice(ODD_TEXTS) if k == key else k): v for k, v in value.items()}
            case _:
                return {**value, key: changed(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.93:
        i = random.randrange(len(value))
        match random.randrange(10):
            case 0:
                return value[:i] + value[i + 1 :]
            case 1:
                return [*value, *value[i:]]
            case _:
                return [*value[:i], changed(value[i], random), *value[i + 1 :]]
    match random.randrange(6):
        case 0:
            return random.choice(ODD_TEXTS)
        case 1:
            return random.choice((None, True, [], {}, [[]], {"": []}, [value], {"a": value}))
        case 2:
            return str(value)
        case 3:
            return random.choice(tuple(RAW))
        case _:
            return random.choice(ODD_NUMBERS)


def _odd_word(random: Random) -> str:
    return random.choice(ODD_TEXTS) if random.random() < 0.7 else str(random.choice(ODD_NUMBERS))
