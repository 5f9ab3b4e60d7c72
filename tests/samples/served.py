"""Models on the servers of tests, asked with little patience."""

from __future__ import annotations

import math
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples.servers import Answer, Asked, Polite, serving
from stage.errors import InputError
from stage.vlm.chat import Choice, Frame, Part
from stage.vlm.client import Patience
from stage.vlm.served_model import ServedModel

HASTY = Patience(connect=1.0, reply=5.0, tries=2, pause=0.01, longest_pause=0.5, total=10.0)
LETTERS = ("A", "B", "C", "D", "E")
LOG = math.log
Reply = Callable[[Asked], Answer]


@contextmanager
def running(command: list[str], log: Path, spec: str, seconds: float, **environment: str) -> Iterator[str]:
    """Within, a server runs in a process of its own. The test fails if it doesn't answer within some seconds."""
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **environment})
    end = time.monotonic() + seconds
    try:
        while process.poll() is None and time.monotonic() < end:
            with suppress(InputError):
                ServedModel.connect(spec)
                break
            time.sleep(0.5)
        else:
            pytest.fail(log.read_text()[-3000:])
        yield spec
    finally:
        process.terminate()
        process.wait(20)


def frame(second: float = 1.0) -> Frame:
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0] = 200
    return Frame(image, second)


def connect(url: str, model: str = "") -> ServedModel:
    return ServedModel.connect(f"openai:{url}{model and '#' + model}", HASTY)


def chosen(reply: Reply, parts: tuple[Part, ...] = ("Which one?",)) -> Choice:
    with serving(Polite(reply)) as server:
        return connect(server.url).choose(parts, LETTERS)


def problem(respond: Callable[[Asked], Any], model: str = "") -> str:
    with serving(respond) as server, pytest.raises(InputError) as raised:
        connect(server.url, model).write(["Hello?"], 10)
    line = str(raised.value)
    assert line.isprintable()
    assert len(line) < 800
    return line
