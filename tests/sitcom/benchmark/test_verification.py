"""Differences of a folder from the published sitcom are reported."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from samples.published import change
from stage.errors import InputError
from stage.sitcom import episodes
from stage.sitcom.benchmark.splits import PublishedSplit
from stage.sitcom.benchmark.verification import differences, split_in
from stage.sitcom.episodes import video_frame_count, video_frames, write_film
from stage.sitcom.screenplay import Screenplay, episode_seed, write_screenplay

NAME = "sitcom_val_7_00000"
QUESTION = 207000000


@pytest.fixture
def reported(small_sitcom: tuple[Path, PublishedSplit], sitcom_copy: Path) -> Callable[[], list[str]]:
    return lambda: list(differences(sitcom_copy, small_sitcom[1], 1, lambda done, of, what: None))


def test_a_folder_as_published_has_no_differences(reported: Callable[[], list[str]]) -> None:
    assert reported() == []


def test_each_difference_is_reported_with_file_and_question(
    sitcom_copy: Path, reported: Callable[[], list[str]], small_sitcom: tuple[Path, PublishedSplit]
) -> None:
    change(sitcom_copy / "questions.json", lambda qs: [{**qs[0], "q": "Who ?"}, qs[0], {"qid": 5}, 3])
    change(sitcom_copy / "subtitles.json", lambda clips: {"other": clips[NAME]})
    (sitcom_copy / "frames.json").write_text("[")
    (sitcom_copy / "episodes" / f"{NAME}.srt").unlink()
    (sitcom_copy / "truth" / "other.json").write_text("{}")
    found = reported()
    assert found[:-1] == [
        f"episodes/{NAME}.srt: is missing",
        "truth/other.json: was not published",
        f"questions.json: has question {QUESTION} twice",
        "questions.json: entry 3 is not a question with a qid",
        f"questions.json: question {QUESTION} differs in q",
        f"questions.json: lacks question {QUESTION + 1}",
        "questions.json: has question 5, which was not published",
        f"subtitles.json: lacks clip {NAME}",
        "subtitles.json: has clip other, which was not published",
    ]
    assert found[-1].startswith("frames.json: is not JSON")


@pytest.mark.exhaustive
def test_truth_is_compared_with_what_the_generator_makes(
    sitcom_copy: Path, reported: Callable[[], list[str]], small_sitcom: tuple[Path, PublishedSplit]
) -> None:
    path = sitcom_copy / "truth" / f"{NAME}.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    assert reported() == []
    change(
        path,
        lambda t: {**t, "frame_count": 3, "questions": [t["questions"][0], {**t["questions"][1], "ts": 0}]},
    )
    assert reported() == [
        f"truth/{NAME}.json: differs in frame_count",
        f"truth/{NAME}.json: question {QUESTION + 1} differs in ts",
    ]
    other = PublishedSplit("val", 7, 2, ("0" * 16,))
    assert "does not reproduce the published episode" in next(
        differences(sitcom_copy, other, 1, lambda done, of, what: None)
    )


@pytest.mark.exhaustive
def test_damaged_films_and_films_of_other_episodes_are_reported(
    sitcom_copy: Path, reported: Callable[[], list[str]]
) -> None:
    film = sitcom_copy / "episodes" / f"{NAME}.mp4"
    content = film.read_bytes()
    play = write_screenplay(episode_seed("val", 7, 0))

    film.write_bytes(content[: len(content) // 2])
    (problem,) = reported()
    assert problem.startswith(f"episodes/{NAME}.mp4: is not a readable film")

    middle = len(content) // 2
    film.write_bytes(content[:middle] + bytes(3000) + content[middle + 3000 :])
    (problem,) = reported()
    assert re.search(r"intact frames, not|can't be decoded", problem)

    write_film(film, Screenplay(play.beats[:1]))
    (problem,) = reported()
    assert "intact frames, not" in problem

    write_film(film, Screenplay(tuple(replace(beat, actors=()) for beat in play.beats)))
    (problem,) = reported()
    assert f"does not show the drawn image in {video_frame_count(play)} of" in problem


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "at",
    [
        (100, 293, 147),
        pytest.param((0, 0, 0), marks=pytest.mark.exhaustive),
        pytest.param((-1, 580, 300), marks=pytest.mark.exhaustive),
    ],
)
def test_a_square_in_one_frame_is_reported(
    sitcom_copy: Path,
    reported: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    at: tuple[int, int, int],
) -> None:
    images = list(video_frames(write_screenplay(episode_seed("val", 7, 0))))
    frame, left, top = at[0] % len(images), *at[1:]
    images[frame] = images[frame].copy()
    images[frame][top : top + 60, left : left + 60] = (200, 0, 0)
    with monkeypatch.context() as drawing:
        drawing.setattr(episodes, "video_frames", lambda play: iter(images))
        write_film(sitcom_copy / "episodes" / f"{NAME}.mp4", write_screenplay(episode_seed("val", 7, 0)))
    (problem,) = reported()
    assert problem.startswith(
        f"episodes/{NAME}.mp4: does not show the drawn image in 1 of {len(images)} frames"
    )
    assert f"at {frame / 6:.1f} s" in problem


@pytest.mark.exhaustive
def test_a_film_of_another_encoder_is_as_published(
    sitcom_copy: Path, reported: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other settings change pixels by more than other builds of the same encoder do."""
    film, play = sitcom_copy / "episodes" / f"{NAME}.mp4", write_screenplay(episode_seed("val", 7, 0))
    published = film.read_bytes()
    monkeypatch.setattr(episodes, "ENCODING", {"crf": "26", "preset": "ultrafast", "threads": "1"})
    write_film(film, play)
    assert film.read_bytes() != published
    assert reported() == []


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"questions": {}}',
        *(
            pytest.param(c, marks=pytest.mark.exhaustive)
            for c in ("[]", "3", '{"split": ["val"], "seed": null}')
        ),
    ],
)
def test_any_content_is_reported_without_a_traceback(
    sitcom_copy: Path, reported: Callable[[], list[str]], content: str
) -> None:
    for file in ("questions.json", "subtitles.json", "frames.json", f"truth/{NAME}.json"):
        (sitcom_copy / file).write_text(content)
    assert len(reported()) >= 4
    (sitcom_copy / "sitcom.json").write_text(content)
    assert all(line.startswith("sitcom.json: ") for line in reported())
    with pytest.raises(InputError, match=r"sitcom\.json"):
        split_in(sitcom_copy)
