"""The published sitcom stays what it is, and a folder that differs from it is told how."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from stage.commands.sitcom import sitcom
from stage.errors import InputError
from stage.io import to_json
from stage.sitcom.benchmark import splits as benchmark
from stage.sitcom.benchmark.splits import (
    DIGESTS,
    SPLITS,
    VERSION,
    Published,
    digest_of,
    pictures_digest,
    publish,
    published,
)
from stage.sitcom.benchmark.verification import differences, split_in
from stage.sitcom.episodes import make_episode, truth_of, write_film, write_sitcom
from stage.sitcom.screenplay import Screenplay, episode_seed, write_screenplay

NAME = "sitcom_val_7_00000"
QUESTION = 207000000
CHANGED = f"the sitcom changed: raise VERSION in {benchmark.__name__}, then run `stage remake`"


def truth(split: str, seed: int, index: int, questions: int) -> str:
    return to_json(truth_of(make_episode(split, seed, index, questions)))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published]:
    """A split of one episode with two questions, and what it is known by."""
    folder = tmp_path_factory.mktemp("small")
    write_sitcom(folder, "val", 1, seed=7, questions=2)
    return folder, Published("val", 7, 2, (digest_of(truth("val", 7, 0, 2).encode()),))


@pytest.fixture
def folder(small: tuple[Path, Published], tmp_path: Path) -> Path:
    return Path(shutil.copytree(small[0], tmp_path / "copy"))


@pytest.fixture
def told(small: tuple[Path, Published], folder: Path) -> Callable[[], list[str]]:
    return lambda: list(differences(folder, small[1], 1, lambda done, of, what: None))


def change(path: Path, edit: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))


@pytest.mark.parametrize("split", SPLITS)
def test_the_generator_still_makes_what_was_published(split: str) -> None:
    split_published = published(split)
    assert len(split_published.digests) == SPLITS[split].episodes
    made = truth(split, split_published.seed, 0, split_published.questions)
    assert digest_of(made.encode()) == split_published.digests[0], CHANGED


def test_what_is_drawn_is_still_what_was_published() -> None:
    noted = json.loads(DIGESTS.read_text())
    assert (noted["version"], noted["pictures"]) == (VERSION, pictures_digest()), CHANGED


def test_the_documentation_names_version_and_splits() -> None:
    page = (Path(__file__).parents[1] / "docs" / "sitcom.md").read_text()
    assert f"Version {VERSION};" in page
    for split, size in SPLITS.items():
        assert f"| {split} | {benchmark.SEED} | {size.episodes} | {size.questions} |" in page


def test_a_folder_as_published_has_no_differences(told: Callable[[], list[str]]) -> None:
    assert told() == []


def test_each_difference_is_told_with_file_and_question(
    folder: Path, told: Callable[[], list[str]], small: tuple[Path, Published]
) -> None:
    change(folder / "questions.json", lambda qs: [{**qs[0], "q": "Who ?"}, qs[0], {"qid": 5}, 3])
    change(folder / "subtitles.json", lambda clips: {"other": clips[NAME]})
    (folder / "frames.json").write_text("[")
    (folder / "episodes" / f"{NAME}.srt").unlink()
    (folder / "truth" / "other.json").write_text("{}")
    found = told()
    assert found[:-1] == [
        f"episodes/{NAME}.srt: is missing",
        "truth/other.json: was not published",
        f"questions.json: has question {QUESTION} twice",
        "questions.json: entry 3 is no question with a qid",
        f"questions.json: question {QUESTION} differs in q",
        f"questions.json: lacks question {QUESTION + 1}",
        "questions.json: has question 5, which was not published",
        f"subtitles.json: lacks clip {NAME}",
        "subtitles.json: has clip other, which was not published",
    ]
    assert found[-1].startswith("frames.json: is not JSON")


def test_truth_is_held_against_what_the_generator_makes(
    folder: Path, told: Callable[[], list[str]], small: tuple[Path, Published]
) -> None:
    path = folder / "truth" / f"{NAME}.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    assert told() == []
    change(
        path,
        lambda t: {**t, "frame_count": 3, "questions": [t["questions"][0], {**t["questions"][1], "ts": 0}]},
    )
    assert told() == [
        f"truth/{NAME}.json: differs in frame_count",
        f"truth/{NAME}.json: question {QUESTION + 1} differs in ts",
    ]
    other = Published("val", 7, 2, ("0" * 16,))
    assert "does not make what was published" in next(
        differences(folder, other, 1, lambda done, of, what: None)
    )


def test_films_are_whole_and_show_their_episode(folder: Path, told: Callable[[], list[str]]) -> None:
    film = folder / "episodes" / f"{NAME}.mp4"
    content = film.read_bytes()
    play = write_screenplay(episode_seed("val", 7, 0))

    film.write_bytes(content[: len(content) // 2])
    (problem,) = told()
    assert problem.startswith(f"episodes/{NAME}.mp4: is not a film that can be read")

    middle = len(content) // 2
    film.write_bytes(content[:middle] + bytes(3000) + content[middle + 3000 :])
    (problem,) = told()
    assert re.search(r"whole pictures, not|can't be decoded", problem)

    write_film(film, Screenplay(play.beats[:1]))
    (problem,) = told()
    assert "whole pictures, not" in problem

    write_film(film, Screenplay(tuple(replace(beat, actors=()) for beat in play.beats)))
    (problem,) = told()
    assert "does not show in its middle what was drawn" in problem


@pytest.mark.parametrize("content", ["[]", "3", "{", '{"questions": {}}', '{"split": ["val"], "seed": null}'])
def test_any_content_is_told_without_a_traceback(
    folder: Path, told: Callable[[], list[str]], content: str
) -> None:
    for file in ("questions.json", "subtitles.json", "frames.json", f"truth/{NAME}.json"):
        (folder / file).write_text(content)
    assert len(told()) >= 4
    (folder / "sitcom.json").write_text(content)
    assert all(line.startswith("sitcom.json: ") for line in told())
    with pytest.raises(InputError, match=r"sitcom\.json"):
        split_in(folder)


def test_the_command_tells_other_settings_and_ends_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        sitcom(folder, verify=True, workers=1)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out.splitlines() == [
        "sitcom.json: seed is 7; published is 0",
        "sitcom.json: questions is 2; published is 12",
        "sitcom.json: episodes is 1; published is 40",
        f"{folder} is not split val of the sitcom, version {VERSION}: 3 differences",
    ]
    with pytest.raises(InputError, match="--verify"):
        sitcom(folder, verify=True, seed=7)
    with pytest.raises(InputError, match="can't be read"):
        sitcom(folder / "nowhere", verify=True)


def test_a_version_is_published_once(
    small: tuple[Path, Published], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "val").symlink_to(small[0])
    monkeypatch.setattr(benchmark, "LOOKED_AT", 1)
    monkeypatch.setattr(benchmark, "SEED", 7)
    monkeypatch.setattr(benchmark, "SPLITS", {"val": benchmark.Split(1, 2)})
    monkeypatch.setattr(benchmark, "DIGESTS", tmp_path / "digests.json")
    publish(tmp_path)
    assert published("val") == small[1]
    publish(tmp_path)
    change(tmp_path / "digests.json", lambda noted: {**noted, "truth": {"val": ["0"]}})
    with pytest.raises(InputError, match="raise the version"):
        publish(tmp_path)
    monkeypatch.setattr(benchmark, "VERSION", VERSION + 1)
    with pytest.raises(InputError, match="run `stage remake`"):
        published("val")
    publish(tmp_path)
    assert published("val") == small[1]
