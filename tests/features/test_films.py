"""Films are found by their clips' names, and held against those that features are of."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from films import write_film
from samples.detector import Shades
from samples.features import quiet
from stage.errors import InputError
from stage.features.extraction import extract_regions
from stage.features.films import FINGERPRINTS, check_films, films_in
from stage.features.store.feature_store import FeatureStore


@pytest.fixture
def data(tmp_path: Path, short_film: Path) -> Path:
    """A folder of two films, of which the first is the longer, with their features."""
    episodes = tmp_path / "data" / "episodes"
    episodes.mkdir(parents=True)
    write_film(episodes / "one.mp4", [Fraction(i, 24) for i in range(120)])
    shutil.copy(short_film, episodes / "two.mp4")
    extract_regions(episodes, tmp_path / "data" / "features", Shades(), quiet)
    return tmp_path / "data"


def check(data: Path) -> None:
    store = FeatureStore.open(data / "features")
    recorded = {name: film for name in ("one", "two") if (film := store.film(name))}
    assert len(recorded) == 2
    check_films(store, data / "episodes", recorded)


def test_features_of_another_film_are_refused_with_the_command(data: Path) -> None:
    check(data)
    shutil.copy(data / "episodes" / "one.mp4", data / "episodes" / "two.mp4")
    with pytest.raises(InputError, match=r"episodes/two\.mp4: is not the film .*clip two.*--detector shades"):
        check(data)


def test_a_film_of_the_same_size_is_told_apart_by_its_content(data: Path) -> None:
    film = data / "episodes" / "two.mp4"
    raw = film.read_bytes()
    film.write_bytes(raw[:-1] + bytes([raw[-1] ^ 255]))
    with pytest.raises(InputError, match=r"two\.mp4: is not the film"):
        check(data)


def test_copied_and_absent_films_are_no_reason_to_refuse_features(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy", copy_function=shutil.copyfile))
    for film in (copy / "episodes").iterdir():
        os.utime(film, ns=(1, 1))
    check(copy)
    (copy / "episodes" / "two.mp4").unlink()
    check(copy)
    shutil.rmtree(copy / "episodes")
    check(copy)


def test_opening_many_films_reads_few_of_them(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore.open(data / "features")
    record = store.film("two")
    assert record is not None
    for i in range(3 * FINGERPRINTS):
        shutil.copyfile(data / "episodes" / "two.mp4", data / "episodes" / f"more{i}.mp4")
    read: list[Path] = []
    monkeypatch.setattr("stage.features.films.is_same_film", lambda path, record: read.append(path) or True)
    check_films(store, data / "episodes", {f"more{i}": record for i in range(3 * FINGERPRINTS)})
    assert FINGERPRINTS <= len(read) <= 2 * FINGERPRINTS


def test_films_in_subfolders_are_pointed_out(tmp_path: Path, short_film: Path) -> None:
    season = tmp_path / "films" / "season"
    season.mkdir(parents=True)
    shutil.copy(short_film, season / "one.mp4")
    with pytest.raises(
        InputError,
        match=r"films/season: has no numbered images such as 00001\.jpg, but one\.mp4; films in sub",
    ):
        extract_regions(tmp_path / "films", tmp_path / "out", Shades(), quiet)
    with pytest.raises(
        InputError, match=r"no film of clip one; films in subfolders.*move season/one\.mp4 up"
    ):
        extract_regions(tmp_path / "films", tmp_path / "out", Shades(), quiet, {"one": [1]})


def test_two_films_of_one_clip_are_refused(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"a\.mkv and a\.mp4 have the same clip name"):
        films_in(tmp_path)
