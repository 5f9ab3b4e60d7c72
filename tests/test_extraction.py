"""Films and folders of frame images become regions, clip by clip."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from stage.errors import InputError
from stage.features.extraction import extract_regions, films_in
from stage.features.protocols import FeatureAttributes
from stage.features.regions.visual_concepts import ConceptDetector, ConceptRegions
from stage.features.registry import load_detector
from stage.features.store.feature_store import FeatureStore
from stage.media.frame_folder import open_frames
from stage.sitcom.drawing.scene import draw
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
    with pytest.raises(InputError, match=r"no film of clip clip7$"):
        extract_regions(frames, tmp_path / "new", detector, quiet, {"clip1": [1], "clip7": [1]})
    assert not FeatureStore.open(tmp_path / "out").has_clip("clip7")


def test_a_clip_that_lacks_a_wanted_frame_is_looked_at_anew(frames: Path, tmp_path: Path) -> None:
    detector = load_detector("stage")
    shutil.rmtree(frames / "clip1")
    (frames / "clip0" / "00008.jpg").unlink()

    def look(wanted: list[int]) -> dict[int, int]:
        extract_regions(frames, tmp_path / "out", detector, quiet, {"clip0": wanted})
        return {
            frame: len(found) for frame, found in FeatureStore.open(tmp_path / "out").clip("clip0").items()
        }

    written = tmp_path / "out" / "clips" / "clip0.safetensors"
    assert look([]) == {}
    first = look([2, 8, 14])  # the second has no image, the third is past the end
    assert first[2] > 0 == first[8] == first[14]
    before = written.stat().st_mtime_ns
    look([2, 8])
    assert written.stat().st_mtime_ns == before


def test_folders_of_frames_have_names_with_points_and_subtitles_are_no_films(tmp_path: Path) -> None:
    for name in ("Mr.Bean_01", "Mr.Bean_02"):
        (tmp_path / name).mkdir()
    for name in ("a.mp4", "a.ssa", "a.srt"):
        (tmp_path / name).touch()
    assert sorted(films_in(tmp_path)) == ["Mr.Bean_01", "Mr.Bean_02", "a"]


def test_an_empty_image_is_named(frames: Path) -> None:
    (frames / "clip0" / "00007.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"00007\.jpg: is not an image"):
        list(open_frames(frames / "clip0").frames([1, 7]))


def test_frames_without_regions_and_labels_without_words_have_vectors(frames: Path) -> None:
    encoder = Letters()
    concepts = ConceptRegions(lambda label: encoder.encode([label])[0], encoder.dim)
    assert concepts.features(()).shape == (0, 26)
    assert concepts.features(("cab", " ")).sum(1).tolist() == [3, 0]
    asked = load_detector("concepts:minilm")
    assert asked.name.startswith("concepts:minilm@")
    found = asked.detect([draw(write_screenplay(episode_seed("test", 7, 0)).setting_at(3)).picture])[0]
    assert found.features.shape == (len(found), asked.dim)


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
