"""Which frames of a data folder's films are processed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from films import write_film
from samples.data_folder import write_random_data
from stage.annotation.questions import read_questions, write_questions
from stage.data.examples import Limits
from stage.data.extraction import frames_to_extract
from stage.data.layouts import open_questions
from stage.io import write_json
from stage.types import Box

SECONDS = 150


def test_films_are_processed_to_their_end_for_every_frame_that_is_read(tmp_path: Path) -> None:
    write_random_data(tmp_path)
    (tmp_path / "episodes").mkdir()
    for clip in ("clip0", "clip1"):
        write_film(tmp_path / "episodes" / f"{clip}.mp4", range(SECONDS), rate=1)
    write_json(tmp_path / "frames.json", {"clip0": 3 * SECONDS, "clip1": 3 * SECONDS})
    first, *others = read_questions(tmp_path / "questions.json")
    late = replace(first, boxes={440: (Box(0, 0, 9, 9, "mug"),)})
    write_questions(tmp_path / "questions.json", [late, *others])
    extracted = frames_to_extract(tmp_path, tmp_path / "episodes")
    assert extracted["clip1"] == list(range(1, 3 * SECONDS + 1, 6))
    assert extracted["clip0"] == sorted([*range(1, 3 * SECONDS + 1, 6), *range(2, 3 * SECONDS + 1, 6)])
    questions = open_questions(tmp_path, Limits())
    for question in questions.questions:
        assert set(questions.frames_of(question)) <= set(extracted[question.clip])
