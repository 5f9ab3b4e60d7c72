"""Films and folders of frame images become regions, clip by clip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stage.errors import InputError
from stage.extraction import extract_regions
from stage.features.concepts import ConceptDetector
from stage.features.regions import load_detector
from stage.features.store import FeatureAttributes, FeatureStore
from stage.media.frames import open_frames
from stage.sitcom.drawing import draw
from stage.sitcom.screenplay import episode_seed, write_screenplay


def quiet(done: int, of: int, what: str) -> None:
    pass


class Letters:
    """A text encoder for tests: a vector of letter counts for each word."""

    name, dim = "letters@1", 26

    def encode(self, texts: list[str]) -> list[np.ndarray]:
        return [
            np.array([[w.count(chr(97 + i)) for i in range(26)] for w in t.split()], np.float32)
            for t in texts
        ]


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Two clips as TVQA ships them: images at 3 a second, numbered from 1."""
    root = tmp_path / "frames"
    for c in range(2):
        play = write_screenplay(episode_seed("test", 7, c))
        (root / f"clip{c}").mkdir(parents=True)
        for number in range(1, 14):
            picture = draw(play.setting_at(number / 3)).picture
            cv2.imwrite(str(root / f"clip{c}" / f"{number:05d}.jpg"), picture[..., ::-1])
    return root


def test_frame_images_are_read_as_they_are_numbered(frames: Path) -> None:
    clip = open_frames(frames / "clip0")
    assert clip.frame_count == 13
    assert clip.model_frames() == (1, 7, 13)
    found = dict(clip.frames([13, 2, 99]))
    assert list(found) == [2, 13]
    picture = draw(write_screenplay(episode_seed("test", 7, 0)).setting_at(2 / 3)).picture
    assert np.abs(found[2].astype(int) - picture).mean() < 4


def test_regions_are_made_clip_by_clip_and_not_twice(frames: Path, tmp_path: Path) -> None:
    detector = load_detector("stage")
    counts = extract_regions(frames, tmp_path / "out", detector, quiet)
    assert counts == {"clip0": 13, "clip1": 13}
    store = FeatureStore.open(tmp_path / "out")
    assert list(store.clip("clip1")) == [1, 7, 13]
    written = (tmp_path / "out" / "clips" / "clip0.safetensors").stat().st_mtime_ns
    (tmp_path / "out" / "clips" / "clip1.safetensors").unlink()
    extract_regions(frames, tmp_path / "out", detector, quiet, {"clip0": [1], "clip1": [2, 8]})
    assert (tmp_path / "out" / "clips" / "clip0.safetensors").stat().st_mtime_ns == written
    assert list(FeatureStore.open(tmp_path / "out").clip("clip1")) == [2, 8]
    with pytest.raises(InputError, match="clip7"):
        extract_regions(frames, tmp_path / "out", detector, quiet, {"clip7": [1]})


def test_visual_concepts_are_the_words_of_labels_whatever_the_detector(frames: Path) -> None:
    detector = ConceptDetector(load_detector("stage"), Letters())
    picture = next(open_frames(frames / "clip0").frames([1]))[1]
    regions = detector.detect([picture])[0]
    assert regions.features.shape == (len(regions), 26)
    person = regions.labels.index("person")
    assert np.array_equal(regions.features[person], Letters().encode(["person"])[0][0])
    assert detector.name == "concepts:letters@1"


def test_words_and_regions_are_added_to_a_store_one_after_the_other(tmp_path: Path) -> None:
    FeatureStore.create(tmp_path, FeatureAttributes(text="a@1", text_dim=3))
    FeatureStore.create(tmp_path, FeatureAttributes(regions="b@1", region_dim=5))
    assert FeatureStore.open(tmp_path).attributes == FeatureAttributes("a@1", 3, "b@1", 5)
    with pytest.raises(InputError, match="a@1"):
        FeatureStore.create(tmp_path, FeatureAttributes(text="c@1", text_dim=3))


def test_a_folder_without_films_or_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no films"):
        extract_regions(tmp_path, tmp_path / "out", load_detector("stage"), quiet)
    assert not (tmp_path / "out").exists()
    (tmp_path / "clip").mkdir()
    with pytest.raises(InputError, match="numbered images"):
        open_frames(tmp_path / "clip")
