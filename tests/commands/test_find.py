"""`stage find`: moments on standard output, as JSON and as a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples.command_line import Run
from samples.zero_shot import Axes, Painted, painted_film, picture
from stage.zero_shot.answerer import ZeroShot
from stage.zero_shot.lexicon import Lexicon


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A red car, then a blue person; and an answerer that sees them."""
    answerer = ZeroShot(Painted(), lexicon=Lexicon(Axes()))
    monkeypatch.setattr(ZeroShot, "from_setup", classmethod(lambda cls, setup: answerer))
    monkeypatch.setenv("STAGE_CACHE", str(tmp_path / "cache"))
    shots = (6, picture((60, 60, 60), (255, 0, 0))), (6, picture((200, 200, 200), (0, 0, 255)))
    return painted_film(tmp_path / "film.mp4", *shots)


def test_moments_are_printed_best_first_with_their_boxes(film: Path, run: Run) -> None:
    done = run("find", film, "the man")
    assert done.code == 0, done.err
    first, second = done.out.splitlines()[:2]
    assert first.startswith("5.8 to 12.0 s, ")
    assert second.startswith("  man: box (40, 24, 80, 72) at ")


def test_json_has_the_phrase_as_typed_and_the_moments(film: Path, run: Run) -> None:
    done = run("find", film, "The car!", "--json", "--top", "1")
    found = json.loads(done.out)
    assert found["phrase"] == "The car!"
    (moment,) = found["moments"]
    assert moment["span"][0] == 0
    assert {box["word"] for box in moment["boxes"]} == {"car"}
    assert found["clip"]["width"] == 160


def test_the_page_has_a_section_for_each_moment(film: Path, run: Run, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = run("find", film, "the man <b>", "--report", page)
    assert done.code == 0, done.err
    html = page.read_text()
    assert 'content="stage: evidence"' in html
    assert "<b>" not in html.split("<body")[1]
    assert "elsewhere, or nowhere" in html


def test_what_is_nowhere_is_said_to_be_and_no_page_is_written(film: Path, run: Run, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = run("find", film, "a zebra", "--report", page)
    assert done.code == 0
    assert done.out.splitlines()[0] == "found nowhere"
    assert not page.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((" ",), "phrase is empty"),
        (("a dog", "--detector", "onnx:nowhere.onnx"), "nowhere.onnx"),
        (("a dog", "--top", "0"), "--top"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], reason: str, run: Run, tmp_path: Path) -> None:
    film = painted_film(tmp_path / "film.mp4", (1, picture((60, 60, 60))))
    done = run("find", film, *arguments)
    assert done.code == 2
    assert reason in done.err
    assert len(done.err.strip().splitlines()) == 1
