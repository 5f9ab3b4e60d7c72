"""`stage subtitles`: what is written, printed and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from films import write_film
from samples.command_line import Run
from samples.speech import needs_whisper, noise, placed, spoken, write_sounding_film
from stage import speech
from stage.errors import InputError
from stage.media.cues import Cue
from stage.media.subtitles import read_subtitles
from stage.speech import Transcript


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every film says the same, without a model; how it was asked for."""
    calls: list[dict[str, Any]] = []

    def hear(video: Path, **options: Any) -> Transcript:
        calls.append(options)
        cues = (Cue(1.0, 2.0, "Who is it?"), Cue(3.0, 4.0, "It is me."))
        return Transcript(None, "en", ("subtitles are what x heard",), cues)

    monkeypatch.setattr(speech, "subtitles_of_sound", hear)
    return calls


@pytest.mark.parametrize("name", ["out.srt", "out.vtt"])
def test_subtitles_are_written(name: str, tmp_path: Path, run: Run, heard: list[Any]) -> None:
    done = run("subtitles", "film.mp4", str(tmp_path / name), "--model", "small", "--language", "en")
    assert (done.code, done.out) == (0, f"{tmp_path / name}: 2 subtitles\n")
    assert done.err == "note: subtitles are what x heard\n"
    assert [s.text for s in read_subtitles(tmp_path / name).sentences] == ["Who is it ?", "It is me ."]
    assert (heard[0]["model"], heard[0]["language"]) == ("small", "en")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("out.txt", "give a name that ends in .srt or .vtt"),
        (".", "is a folder"),
        ("notes.srt", "exists and is not a subtitle file"),
        ("film.srt", "is read by this command"),
    ],
)
def test_other_files_are_not_replaced(
    output: str,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Run,
    heard: list[Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.srt").write_text("my notes")
    done = run("subtitles", "film.srt", output)
    assert done.refused(reason), done
    assert Path("notes.srt").read_text() == "my notes"
    assert not heard


def test_another_file_is_replaced_with_overwrite(tmp_path: Path, run: Run, heard: list[Any]) -> None:
    (tmp_path / "notes.srt").write_text("my notes")
    assert run("subtitles", "f.mp4", str(tmp_path / "notes.srt"), "--overwrite").code == 0
    assert read_subtitles(tmp_path / "notes.srt").sentences


def test_a_film_without_sound_is_refused(tmp_path: Path, run: Run) -> None:
    film = write_film(tmp_path / "f.mp4", [0.0, 1.0])
    done = run("subtitles", str(film), str(tmp_path / "out.srt"))
    assert done.refused("has no sound track that can be decoded; give a film with sound")
    assert not (tmp_path / "out.srt").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.mp4", None, "no such file"),
        ("text.mp4", b"#EXTM3U\nhttp://localhost/x.ts\n", ""),
        ("noise.mp4", bytes(range(256)) * 40, "is not a readable film"),
        ("empty.mp4", b"", "is empty"),
    ],
)
def test_what_is_no_film_is_refused(
    name: str, content: bytes | None, reason: str, tmp_path: Path, run: Run
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run("subtitles", str(tmp_path / name), str(tmp_path / "out.srt"))
    assert done.refused(reason)
    assert not (tmp_path / "out.srt").exists()


def test_an_error_leaves_the_earlier_file(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(video: Path, **options: Any) -> Transcript:
        raise InputError("x: the speech model can't be loaded")

    monkeypatch.setattr(speech, "subtitles_of_sound", fail)
    (tmp_path / "out.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nOld.\n")
    assert run("subtitles", "f.mp4", str(tmp_path / "out.srt")).refused("can't be loaded")
    assert "Old." in (tmp_path / "out.srt").read_text()


@pytest.mark.slow
def test_where_nobody_speaks_no_file_is_written(tmp_path: Path, run: Run) -> None:
    needs_whisper()
    film = write_sounding_film(tmp_path / "f.mkv", noise(5), seconds=5, codec="flac")
    done = run("subtitles", str(film), str(tmp_path / "out.srt"))
    assert done.code == 1
    assert done.out == f"{tmp_path / 'out.srt'}: not written, since nobody was heard to speak\n"
    assert not (tmp_path / "out.srt").exists()


@pytest.mark.slow
def test_a_film_is_heard(tmp_path: Path, run: Run) -> None:
    needs_whisper()
    sound = placed({1.0: spoken(tmp_path, "Please close the door behind you.")}, 5)
    film = write_sounding_film(tmp_path / "f.mp4", sound, seconds=5)
    done = run("subtitles", str(film), str(tmp_path / "out.srt"))
    assert (done.code, done.out) == (0, f"{tmp_path / 'out.srt'}: 1 subtitle\n")
    assert "Whisper base heard, in the language en" in done.err
    (sentence,) = read_subtitles(tmp_path / "out.srt").sentences
    assert "door behind you" in sentence.text
    assert sentence.start == pytest.approx(1.0, abs=0.3)
