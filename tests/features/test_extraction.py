"""Films and folders of frame images become regions, clip by clip."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from films import write_film
from samples.detector import Shades
from samples.features import Letters, quiet
from stage.errors import InputError
from stage.features.extraction import extract_regions, extract_texts
from stage.features.films import films_in
from stage.features.registry import load_detector
from stage.features.store.feature_store import FeatureStore
from stage.media.frame_folder import open_frames
from stage.types import Image, Regions


def test_regions_are_extracted_clip_by_clip_and_not_twice(frame_folders: Path, tmp_path: Path) -> None:
    detector = load_detector("stage")
    extracted = extract_regions(frame_folders, tmp_path / "out", detector, quiet)
    assert extracted.frame_counts == {"clip0": 13, "clip1": 13}
    assert extracted.notes == ()
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


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder of one film of seven seconds: 21 numbered frames."""
    folder = tmp_path / "films"
    folder.mkdir()
    write_film(folder / "one.mp4", [Fraction(i, 24) for i in range(168)])
    return folder


def test_a_replaced_film_is_extracted_again_and_that_is_said(films: Path, tmp_path: Path) -> None:
    detector, out = Shades(), tmp_path / "out"
    assert extract_regions(films, out, detector, quiet).notes == ()
    before = FeatureStore.open(out).film("one")
    seen = detector.seen
    os.utime(films / "one.mp4", ns=(1, 1))  # copied, say: still the same film
    assert extract_regions(films, out, detector, quiet).notes == ()
    assert detector.seen == seen
    write_film(films / "one.mp4", [Fraction(i, 24) for i in range(168)], first=900)
    [note] = extract_regions(films, out, detector, quiet).notes
    assert note == "one.mp4: is not the film that the features of clip one were of; they are made anew"
    again = FeatureStore.open(out)
    assert again.film("one") != before
    fresh = extract_regions(films, tmp_path / "fresh", Shades(), quiet)
    assert fresh.frame_counts == {"one": 21}
    expected = FeatureStore.open(tmp_path / "fresh").clip("one")
    assert all(np.array_equal(again.clip("one")[f].features, expected[f].features) for f in expected)


def test_frames_of_the_same_film_are_added_and_none_is_detected_twice(films: Path, tmp_path: Path) -> None:
    detector, out = Shades(), tmp_path / "out"
    extract_regions(films, out, detector, quiet, {"one": [1, 7]})
    extract_regions(films, out, detector, quiet, {"one": [7, 13, 14]})
    assert detector.seen == 4
    added = FeatureStore.open(out).clip("one")
    extract_regions(films, tmp_path / "fresh", Shades(), quiet, {"one": [1, 7, 13, 14]})
    fresh = FeatureStore.open(tmp_path / "fresh").clip("one")
    assert list(added) == list(fresh) == [1, 7, 13, 14]
    assert all(np.array_equal(added[frame].features, fresh[frame].features) for frame in fresh)


def test_a_store_of_an_earlier_version_is_kept_and_completed(films: Path, tmp_path: Path) -> None:
    detector, out = Shades(), tmp_path / "out"
    extract_regions(films, out, detector, quiet, {"one": [1, 7]})
    path = out / "clips" / "one.safetensors"
    save_file(load_file(path), path, {"labels": '["it"]'})
    extract_regions(films, out, detector, quiet, {"one": [1, 7]})
    assert (detector.seen, FeatureStore.open(out).film("one")) == (2, None)
    extract_regions(
        films, out, detector, quiet, {"one": [13]}
    )  # which film the old frames are of isn't known
    assert detector.seen == 5
    assert list(FeatureStore.open(out).clip("one")) == [1, 7, 13]
    assert FeatureStore.open(out).film("one") is not None


def test_frames_that_cannot_be_read_are_noted(films: Path, tmp_path: Path) -> None:
    extracted = extract_regions(films, tmp_path / "out", Shades(), quiet, {"one": [19, 25, 31]})
    assert extracted.notes == (
        "one.mp4: frames 25, 31 can't be read, and are taken for frames without regions",
    )


def test_a_film_that_is_replaced_while_it_is_read_is_an_error(films: Path, tmp_path: Path) -> None:
    class Replacing(Shades):
        def detect(self, images: Sequence[Image]) -> list[Regions]:
            write_film(films / "new.mp4", [Fraction(i, 24) for i in range(200)])
            os.replace(films / "new.mp4", films / "one.mp4")
            return super().detect(images)

    with pytest.raises(InputError, match=r"one\.mp4: was changed while it was read"):
        extract_regions(films, tmp_path / "out", Replacing(), quiet)
    assert not FeatureStore.open(tmp_path / "out").has_clip("one")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_what_encoders_make_has_to_be_usable(films: Path, tmp_path: Path, value: float) -> None:
    class Broken(Shades):
        def detect(self, images: Sequence[Image]) -> list[Regions]:
            detected = super().detect(images)
            if self.seen > 1:
                detected[-1].features[0, 0] = value
            return detected

    class BrokenLetters(Letters):
        def encode(self, texts: list[str]) -> list[np.ndarray]:
            vectors = super().encode(texts)
            vectors[texts.index("b")][0, 3] = value
            return vectors

    with pytest.raises(InputError, match=r"one\.mp4, frame \d+: region features of shades@1 contain NaN"):
        extract_regions(films, tmp_path / "out", Broken(), quiet)
    with pytest.raises(InputError, match=r"letters@1: its vectors of 'b' contain NaN"):
        extract_texts({"a", "b"}, tmp_path / "out", BrokenLetters(), quiet)


def test_a_complete_folder_need_not_be_writable(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    extract_regions(films, out, Shades(), quiet)
    extract_texts({"a"}, out, Letters(), quiet)

    def refuse(*arguments: object) -> None:
        raise AssertionError("nothing may be written")

    for module in ("feature_store.write_json", "clip_file.write_tensors", "text_files.write_tensors"):
        monkeypatch.setattr(f"stage.features.store.{module}", refuse)
    extract_regions(films, out, Shades(), quiet)
    extract_texts({"a"}, out, Letters(), quiet)
