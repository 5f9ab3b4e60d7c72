"""Fixtures that several test modules share; those of scope "session" are made once and must not be changed.

What they need is imported within them, so that a fault in one package does not stop the tests of the others.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: several test processes share the cores

import fcntl
import shutil
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from films import write_film

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from samples.browser import Screen
    from samples.command_line import Run
    from samples.release_folder import Release
    from stage.collecting.task import Task
    from stage.inference.trained import TrainedFilm
    from stage.sitcom.benchmark.splits import PublishedSplit

SLOW_FIXTURES = {"sitcom_data", "small_sitcom", "browser"}
"""Fixtures that draw films, train or start a browser; tests that use them are slow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and SLOW_FIXTURES.intersection(item.fixturenames):
            item.add_marker("slow")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills once, even if several processes run the tests (pytest-xdist)."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def random_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of two clips with random features."""
    from samples.data_folder import write_random_data

    folder = tmp_path_factory.mktemp("random")
    write_random_data(folder)
    return folder


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with random weights."""
    from samples.batches import make_model
    from samples.model_folder import as_folder

    return as_folder(make_model(), tmp_path_factory.mktemp("models") / "model")


@pytest.fixture(scope="session")
def sitcom_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of one drawn episode with its features."""
    from stage.data.extraction import extract_folder
    from stage.features.registry import load_detector, load_text_encoder
    from stage.sitcom.episodes import write_sitcom

    def make(folder: Path) -> None:
        write_sitcom(folder, "train", 1, seed=5)
        encoder, detector = load_text_encoder("minilm"), load_detector("stage")
        extract_folder(folder, encoder, detector, lambda done, of, what: None)

    return made_once(tmp_path_factory, "sitcom", make)


@pytest.fixture(scope="session")
def sitcom_model(sitcom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of one epoch on that episode."""
    from samples.sitcom import RUN
    from stage.training.config import load_config
    from stage.training.loop import train

    def make(out: Path) -> None:
        config = out / "run.yaml"
        config.write_text(RUN.format(data=sitcom_data, out=out))
        train(load_config(config))

    return made_once(tmp_path_factory, "sitcom_run", make) / "model"


@pytest.fixture(scope="session")
def sitcom_film(
    sitcom_data: Path, sitcom_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainedFilm:
    """The episode, opened by that model."""
    from stage.inference.model_folder import load_model
    from stage.inference.trained import TrainedAnswerer
    from stage.media.film import open_film

    episode = next((sitcom_data / "episodes").glob("*.mp4"))
    cache = tmp_path_factory.mktemp("cache")
    film = open_film(episode, episode.with_suffix(".srt"))
    return TrainedAnswerer(load_model(sitcom_model)).look_at(film, cache=cache)


@pytest.fixture(scope="session")
def short_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of four seconds that shows nothing."""
    return write_film(tmp_path_factory.mktemp("films") / "short.mp4", [Fraction(i, 24) for i in range(96)])


@pytest.fixture(scope="session")
def spoken_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of eight seconds with a subtitle file next to it."""
    folder = tmp_path_factory.mktemp("film")
    (folder / "film.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nMia: It's </script> here!\n")
    return write_film(folder / "film.mp4", [Fraction(i, 12) for i in range(96)], rate=12)


@pytest.fixture(scope="session")
def collecting_task(spoken_film: Path) -> Task:
    """The task of annotating that film."""
    from dataclasses import replace

    from samples.collecting import QUESTION, WordList
    from stage.collecting.films import open_clip
    from stage.collecting.task import make_task

    opened = open_clip(spoken_film, spoken_film.with_suffix(".srt"))
    return make_task(opened, [QUESTION, replace(QUESTION, qid=6, clip="other")], WordList(), {})


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless browser; tests that use it are skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    from samples.browser import launch

    with sync_api.sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(params=["desktop", "phone"])
def screen(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Screen]:
    """A window on a desktop with a mouse, and one on a phone with a touch screen."""
    from samples.browser import Screen

    screen = Screen(browser, request.param)
    yield screen
    screen.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[Screen]:
    """A window on a phone, for what takes more than one finger."""
    from samples.browser import Screen

    screen = Screen(browser, "phone")
    yield screen
    screen.close()


@pytest.fixture
def desktop(browser: Browser) -> Iterator[Screen]:
    """A window on a desktop, for what does not depend on its size."""
    from samples.browser import Screen

    screen = Screen(browser, "desktop")
    yield screen
    screen.close()


@pytest.fixture(scope="session")
def small_sitcom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PublishedSplit]:
    """A split of one episode with two questions, and its digests."""
    from samples.published import truth
    from stage.sitcom.benchmark.splits import PublishedSplit, digest_of
    from stage.sitcom.episodes import write_sitcom

    folder = made_once(
        tmp_path_factory, "small_sitcom", lambda folder: write_sitcom(folder, "val", 1, seed=7, questions=2)
    )
    return folder, PublishedSplit("val", 7, 2, (digest_of(truth("val", 7, 0, 2).encode()),))


@pytest.fixture
def sitcom_copy(small_sitcom: tuple[Path, PublishedSplit], tmp_path: Path) -> Path:
    """A copy of that split, to be changed."""
    return Path(shutil.copytree(small_sitcom[0], tmp_path / "copy"))


@pytest.fixture(scope="session")
def drawn_frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips as TVQA ships them: images at 3 per second, numbered from 1."""
    import cv2

    from stage.sitcom.drawing.scene import draw
    from stage.sitcom.screenplay import episode_seed, write_screenplay

    root = tmp_path_factory.mktemp("frames")
    for c in range(2):
        play = write_screenplay(episode_seed("test", 7, c))
        (root / f"clip{c}").mkdir()
        for number in range(1, 14):
            picture = draw(play.setting_at(number / 3)).image
            cv2.imwrite(str(root / f"clip{c}" / f"{number:05d}.jpg"), picture[..., ::-1])
    return root


@pytest.fixture
def frame_folders(drawn_frames: Path, tmp_path: Path) -> Path:
    """A copy of those clips, to be changed."""
    return Path(shutil.copytree(drawn_frames, tmp_path / "frames"))


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """A folder in the layout of the authors' release, not yet written."""
    from samples.release_folder import Release

    return Release.regular(tmp_path / "release")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The command line, run in this process."""
    from samples.command_line import Done
    from stage.commands import main

    monkeypatch.setenv("STAGE_CACHE", str(tmp_path / "cache"))

    def command(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["stage", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return command
