"""Subtitle files that are written are read again as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage.errors import InputError
from stage.io import check_output
from stage.media.cues import Cue
from stage.media.subtitles import read_subtitles
from stage.speech.subtitle_file import SUBTITLE_FILE, subtitle_text, write_subtitles

LONG = "We need to find the red key, she said, before the rain starts again."
CUES = (Cue(0.0, 1.25, "Who is it?"), Cue(3601.5, 3603.0, LONG))


def test_srt() -> None:
    assert subtitle_text(CUES) == (
        "1\n00:00:00,000 --> 00:00:01,250\nWho is it?\n\n"
        "2\n01:00:01,500 --> 01:00:03,000\nWe need to find the red key, she\nsaid, before the rain starts again.\n"
    )


def test_vtt() -> None:
    text = subtitle_text(CUES[:1], ".vtt")
    assert text.startswith("WEBVTT\n")
    assert "00:00:00.000 --> 00:00:01.250\nWho is it?\n" in text


@pytest.mark.parametrize("name", ["a.srt", "b.VTT"])
def test_what_is_written_is_read_without_a_note(name: str, tmp_path: Path) -> None:
    write_subtitles(tmp_path / name, CUES)
    read = read_subtitles(tmp_path / name)
    assert read.notes == ()
    assert [(s.start, s.end) for s in read.sentences] == [(0.0, 1.25), (3601.5, 3603.0)]
    assert read.sentences[1].text == "We need to find the red key , she said , before the rain starts again ."
    check_output(tmp_path / name, SUBTITLE_FILE)  # a subtitle file is replaced


@pytest.mark.parametrize("content", ["my notes: 00:01 --> 00:02", "{}", "1\n2\n3"])
def test_other_files_are_not_replaced(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(content)
    with pytest.raises(InputError, match=r"is not a subtitle file"):
        check_output(tmp_path / "a.srt", SUBTITLE_FILE)
