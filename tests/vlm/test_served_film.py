"""A film asked about over a server: evidence, page and cache without the key, and what is left when it dies."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from samples.servers import Answer, Asked, Polite, completion, error, likely, serving
from stage.errors import InputError
from stage.inference.answerer import Answerer
from stage.inference.evidence_json import to_json
from stage.page.render import render, write_page
from stage.vlm import client

pytestmark = pytest.mark.slow

KEY = "sk-secret-0123456789"
ANSWERS = ["a red key", "a blue hat", "a dog"]
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e" + "A" * 100_000


def prefers_b(asked: Asked) -> Answer:
    chances = zip("BACDE", (0.6, 0.1, 0.1, 0.1, 0.1), strict=True)
    return completion("B", likely(*((letter, math.log(chance)) for letter, chance in chances)))


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE_API_KEY", KEY)
    monkeypatch.setattr(client.time, "sleep", lambda seconds: None)


def test_a_film_is_answered_and_the_key_is_in_nothing_that_is_written(
    spoken_film: Path, tmp_path: Path
) -> None:
    with serving(Polite(prefers_b, key=KEY)) as server:
        answerer = Answerer.from_pretrained(f"openai:{server.url}")
        film = answerer.open(spoken_film, spoken_film.with_suffix(".srt"), cache=tmp_path / "cache")
        evidence = film.ask("What has Mia hidden ?", ANSWERS)
    assert evidence.answered_by is not None
    assert evidence.answered_by.name == f"openai:{server.url}#tiny"
    assert sum(evidence.prediction.probabilities) == pytest.approx(1)
    assert evidence.moments
    assert any(asked.pictures for asked in server.chats[2:])
    assert KEY not in json.dumps(to_json(evidence)) + repr(evidence) + repr(film) + repr(answerer)
    pictures = film.pictures([moment.frame for moment in evidence.moments])
    write_page(tmp_path / "page.html", render([(evidence, pictures)], "A film"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_what_was_answered_before_the_server_died_is_kept(spoken_film: Path, tmp_path: Path) -> None:
    down = False

    def respond(asked: Asked) -> Answer:
        return error(503, "going down") if down else Polite(prefers_b)(asked)

    with serving(respond) as server:
        answerer = Answerer.from_pretrained(f"openai:{server.url}")
        film = answerer.open(spoken_film, spoken_film.with_suffix(".srt"), cache=tmp_path)
        evidence = film.ask("What has Mia hidden ?", ANSWERS)
        down = True
        with pytest.raises(InputError, match=r"503 \(going down\)"):
            film.ask("What has Ben hidden ?", ANSWERS)
        before = len(server.asked)
        assert film.ask("What has Mia hidden ?", ANSWERS) == evidence
        assert len(server.asked) == before


@pytest.mark.parametrize("answers", [ANSWERS, []])
def test_hostile_replies_end_in_evidence_with_notes(
    answers: list[str], spoken_film: Path, tmp_path: Path
) -> None:
    with serving(Polite(lambda asked: completion(HOSTILE))) as server:
        answerer = Answerer.from_pretrained(f"openai:{server.url}#Qwen3-VL")
        film = answerer.open(spoken_film, spoken_film.with_suffix(".srt"), cache=tmp_path)
        evidence = film.ask("What has Mia hidden ?", answers)
    pictures = film.pictures([moment.frame for moment in evidence.moments])
    write_page(tmp_path / "page.html", render([(evidence, pictures)], "A film"))
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<script>alert(1)" not in page
    assert evidence.notes
    assert all(len(note) < 1000 and "\x1b" not in note for note in evidence.notes)
    assert len(evidence.answer) < 300
