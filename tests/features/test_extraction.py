"""Films and folders of frame images become regions, clip by clip."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from samples.features import quiet
from stage.errors import InputError
from stage.features.extraction import extract_regions, films_in
from stage.features.registry import load_detector
from stage.features.store.feature_store import FeatureStore
from stage.media.frame_folder import open_frames


def test_regions_are_extracted_clip_by_clip_and_not_twice(frame_folders: Path, tmp_path: Path) -> None:
    detector = load_detector("stage")
    counts = extract_regions(frame_folders, tmp_path / "out", detector, quiet)
    assert counts == {"clip0": 13, "clip1": 13}
    store = FeatureStore.open(tmp_path / "out")
    assert list(store.clip("clip1")) == [1, 7, 13]
    written = (tmp_path / "out" / "clips" / "clip0.safetensors").stat().st_mtime_ns
    (tmp_path / "out" / "clips" / "clip1.safetensors").unlink()
    extract_regions(frame_folders, tmp_path / "out", detector, quiet, {"clip0": [1], "clip1": [2, 8]})
    assert (tmp_path / "out" / "clips" / "clip0.safetensors").stat().st_mtime_ns == written
    assert list(FeatureStore.open(tmp_path / "out").clip("clip1")) == [2, 8]
    with pytest.raises(InputError, match=r"no film of clip clip7$"):
        extract_regions(frame_folders, tmp_path / "new", detector, quiet, {"clip1": [1], "clip7": [1]})
    assert not FeatureStore.open(tmp_path / "out").has_clip("clip7")


def test_a_clip_that_lacks_a_requested_frame_is_extracted_again(frame_folders: Path, tmp_path: Path) -> None:
    detector = load_detector("stage")
    shutil.rmtree(frame_folders / "clip1")
    (frame_folders / "clip0" / "00008.jpg").unlink()

    def look(wanted: list[int]) -> dict[int, int]:
        extract_regions(frame_folders, tmp_path / "out", detector, quiet, {"clip0": wanted})
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


def test_frame_folders_may_have_dots_in_their_names_and_subtitles_are_not_films(tmp_path: Path) -> None:
    for name in ("Mr.Bean_01", "Mr.Bean_02"):
        (tmp_path / name).mkdir()
    for name in ("a.mp4", "a.ssa", "a.srt"):
        (tmp_path / name).touch()
    assert sorted(films_in(tmp_path)) == ["Mr.Bean_01", "Mr.Bean_02", "a"]


def test_a_folder_without_films_or_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contains no films"):
        extract_regions(tmp_path, tmp_path / "out", load_detector("stage"), quiet)
    assert not (tmp_path / "out").exists()
    (tmp_path / "clip").mkdir()
    with pytest.raises(InputError, match="numbered images"):
        open_frames(tmp_path / "clip")
