"""The sitcom is what it says: seeded, sound, and drawn as its truth has it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stage.annotation.clips import read_frame_counts, read_subtitles
from stage.annotation.questions import question_to_json, read_questions
from stage.errors import InputError
from stage.sitcom.benchmark.splits import SPLITS
from stage.sitcom.drawing.scene import draw
from stage.sitcom.episodes import Episode, make_episode, write_sitcom
from stage.sitcom.screenplay import episode_seed, write_screenplay
from stage.sitcom.world import (
    CAST,
    FURNITURE,
    HEIGHT,
    HELD,
    PLACES,
    WIDTH,
    WORN,
    Actor,
    Camera,
    Prop,
    Setting,
)
from stage.types import FRAMES_PER_SECOND

STAGE = Setting("kitchen", (Actor("mia", 320),), (Prop("fridge", 80, 270),))


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    return [make_episode("train", 0, i) for i in range(12)]


def fingerprint() -> str:
    questions = [question_to_json(q) for i in (0, 1) for q in make_episode("val", 3, i).questions]
    return hashlib.sha256(json.dumps(questions).encode()).hexdigest()


def test_the_same_seed_gives_the_same_truth_in_any_process() -> None:
    here = Path(__file__).parent
    run = [sys.executable, "-c", "import test_sitcom; print(test_sitcom.fingerprint())"]
    other = subprocess.run(run, cwd=here, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == fingerprint()


def test_splits_never_share_an_episode() -> None:
    seeds = [episode_seed(split, seed, i) for split in SPLITS for seed in (0, 1) for i in range(50)]
    assert len(set(seeds)) == len(seeds)


def test_episodes_last_40_to_60_seconds() -> None:
    for seed in range(60):
        assert 40 <= write_screenplay(seed).duration <= 60


def test_wrong_answers_are_four_and_not_the_right_one(episodes: list[Episode]) -> None:
    for episode in episodes:
        assert len(episode.questions) == 12
        for question in episode.questions:
            assert len(set(question.answers)) == 5


def test_what_is_asked_is_true_at_its_moment_alone(episodes: list[Episode]) -> None:
    """ "What is Mia holding when Leo talks about the exam ?" is looked up in the screenplay."""
    checked = 0
    for episode in episodes:
        for question in episode.questions:
            words = question.text.split()
            if words[0] == "What" and "holding when" in question.text and "talks about the" in question.text:
                topic, person = words[-2], words[2].lower()
                beats = [b for b in episode.play.beats if b.exchange.topic == topic]
                assert len(beats) == 1
                actor = beats[0].actor(person)
                assert actor is not None
                assert actor.holding is not None
                assert question.answer_index is not None
                true = [a for a in question.answers if actor.holding in a.split()]
                assert true == [question.answers[question.answer_index]]
                checked += 1
    assert checked >= 10


def test_half_of_the_questions_need_both_dialogue_and_pictures(episodes: list[Episode]) -> None:
    needs = [need for episode in episodes for need in episode.needs]
    assert needs.count("both") / len(needs) >= 0.5
    assert {"dialogue", "pictures"} <= set(needs)


def test_spans_lie_in_the_episode_and_boxes_in_the_picture(episodes: list[Episode]) -> None:
    for episode in episodes:
        for question in episode.questions:
            assert question.span is not None
            start, end = question.span
            assert 0 <= start < end <= episode.play.duration
            for frame, boxes in question.boxes.items():
                assert frame % 6 == 1
                assert start <= frame / FRAMES_PER_SECOND <= end
                for box in boxes:
                    assert 0 <= box.left < box.right <= WIDTH
                    assert 0 <= box.top < box.bottom <= HEIGHT
                    assert (
                        box.label in f"{question.text} {question.answers[question.answer_index or 0]}".split()
                    )


def test_every_kind_has_a_box_when_nothing_hides_it() -> None:
    for place in PLACES:
        for kind in FURNITURE[place]:
            assert [b.label for b in draw(Setting(place, (), (Prop(kind, 320, 270),))).boxes] == [kind]
    for name, thing in [(n, t) for n in CAST for t in (*HELD, *WORN)]:
        actor = Actor(
            name, 320, holding=thing if thing in HELD else None, wearing=thing if thing in WORN else None
        )
        assert [b.label for b in draw(Setting("park", (actor,), ())).boxes] == [name, thing]


def test_boxes_are_tight_around_what_is_drawn() -> None:
    empty = draw(Setting("kitchen", (), STAGE.props)).picture
    drawn = draw(STAGE)
    changed = (drawn.picture != empty).any(axis=2)
    box = next(b for b in drawn.boxes if b.label == "mia")
    columns, rows = changed.any(0).nonzero()[0], changed.any(1).nonzero()[0]
    assert np.allclose(box.corners, (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), atol=2)


def test_what_is_hidden_or_out_of_the_shot_has_no_box() -> None:
    behind = Setting("kitchen", (Actor("leo", 322, y=334), Actor("ida", 320, y=346)), ())
    assert "leo" not in {b.label for b in draw(behind).boxes}
    left = Setting("kitchen", STAGE.actors, STAGE.props, Camera(600, 200, 3.0))
    assert {b.label for b in draw(left).boxes} == set()


def test_zooming_in_enlarges_boxes() -> None:
    wide = next(b for b in draw(STAGE).boxes if b.label == "mia")
    zoomed = Setting("kitchen", STAGE.actors, (), Camera(320, 250, 1.5))
    near = next(b for b in draw(zoomed).boxes if b.label == "mia")
    assert near.right - near.left == pytest.approx(1.5 * (wide.right - wide.left), abs=3)


def test_the_same_setting_gives_the_same_pixels() -> None:
    assert np.array_equal(draw(STAGE).picture, draw(STAGE).picture)


def test_a_folder_is_written_in_tvqa_formats_and_completed_after_a_stop(tmp_path: Path) -> None:
    write_sitcom(tmp_path, "val", 1)
    first = tmp_path / "episodes" / "sitcom_val_0_00000.mp4"
    made = first.stat().st_mtime_ns
    write_sitcom(tmp_path, "val", 2)
    assert first.stat().st_mtime_ns == made
    questions = read_questions(tmp_path / "questions.json")
    assert [q for q in questions if q.clip.endswith("00001")] == list(make_episode("val", 0, 1).questions)
    assert set(read_subtitles(tmp_path / "subtitles.json")) == {q.clip for q in questions}
    assert set(read_frame_counts(tmp_path / "frames.json")) == {q.clip for q in questions}
    assert not list(tmp_path.rglob("*.partial"))
    with pytest.raises(InputError, match="other episodes"):
        write_sitcom(tmp_path, "test", 2)


def test_an_error_does_not_wait_for_all_other_episodes(tmp_path: Path) -> None:
    (tmp_path / "episodes" / ".sitcom_val_0_00000.mp4.partial").mkdir(parents=True)  # so it can't be written
    with pytest.raises(IsADirectoryError):
        write_sitcom(tmp_path, "val", 40)
    assert len(list((tmp_path / "truth").glob("*.json"))) < 10
