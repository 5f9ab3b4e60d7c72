"""Folders of numbered frame images."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stage.errors import InputError
from stage.media.frame_folder import open_frames
from stage.sitcom.drawing.scene import draw
from stage.sitcom.screenplay import episode_seed, write_screenplay


def write_image(path: Path, brightness: int = 128, width: int = 32, height: int = 24) -> Path:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), brightness, np.uint8))
    return path


def test_frame_images_are_read_as_they_are_numbered(frame_folders: Path) -> None:
    clip = open_frames(frame_folders / "clip0")
    assert clip.frame_count == 13
    assert (clip.width, clip.height, clip.notes) == (640, 360, ())
    assert clip.model_frames() == (1, 7, 13)
    found = dict(clip.frames([13, 2, 99]))
    assert list(found) == [2, 13]
    picture = draw(write_screenplay(episode_seed("test", 7, 0)).setting_at(2 / 3)).image
    assert np.abs(found[2].astype(int) - picture).mean() < 4


def test_an_image_that_is_none_is_named(frame_folders: Path) -> None:
    (frame_folders / "clip0" / "00007.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"00007\.jpg: is not a readable image"):
        open_frames(frame_folders / "clip0")
    (frame_folders / "clip1" / "00009.jpg").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"00009\.jpg: is not a readable image"):
        open_frames(frame_folders / "clip1")


def test_an_image_that_breaks_off_or_disappears_is_named(frame_folders: Path) -> None:
    clip = open_frames(frame_folders / "clip0")
    (frame_folders / "clip0" / "00007.jpg").write_bytes(b"")
    (frame_folders / "clip0" / "00008.jpg").unlink()
    with pytest.raises(InputError, match=r"00007\.jpg: is not a readable image"):
        list(clip.frames([1, 7]))
    with pytest.raises(InputError, match=r"00008\.jpg: can't be read"):
        list(clip.frames([8]))


@pytest.mark.parametrize("name", ["0.png", "00000.png", "frame_000.png"])
def test_images_numbered_from_0_are_refused(tmp_path: Path, name: str) -> None:
    for number in (1, 2, 3):
        write_image(tmp_path / f"{number}.png")
    write_image(tmp_path / name)
    with pytest.raises(InputError, match=rf"numbered from 0 \({name}\).*number them from 1"):
        open_frames(tmp_path)


def test_two_images_of_one_number_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "1.jpg")
    write_image(tmp_path / "00001.png")
    with pytest.raises(InputError, match=r"00001\.png and 1\.jpg have the same number"):
        open_frames(tmp_path)


def test_gaps_in_the_numbering_are_noted(tmp_path: Path) -> None:
    for number in (3, 4, 7, 10):
        write_image(tmp_path / f"{number:05d}.png", brightness=number * 20)
    clip = open_frames(tmp_path)
    assert clip.frame_count == 10
    assert clip.notes == ("no image for 6 frames of 10 (first: 1); they look empty",)
    assert {number: image[0, 0, 0] for number, image in clip.frames(range(1, 11))} == {
        number: number * 20 for number in (3, 4, 7, 10)
    }


def test_images_of_another_size_are_noted_and_scaled_to_the_first(tmp_path: Path) -> None:
    for number in range(1, 8):
        size = (64, 48) if number in (3, 4, 6) else (16, 12) if number == 7 else (32, 24)
        write_image(tmp_path / f"{number}.png", number * 30, *size)
    clip = open_frames(tmp_path)
    assert (clip.width, clip.height) == (32, 24)
    assert clip.notes == (
        "4 images of another size than the first (32 x 24), most of them 64 x 48 (first: 3.png); they are scaled to "
        "the first one's size",
    )
    found = dict(clip.frames(range(1, 8)))
    assert {image.shape for image in found.values()} == {(24, 32, 3)}
    assert {number: image[12, 16, 0] for number, image in found.items()} == {n: n * 30 for n in range(1, 8)}


def test_the_size_is_that_of_the_upright_image(tmp_path: Path) -> None:
    stored = PIL.Image.fromarray(np.zeros((24, 32, 3), np.uint8))
    exif = stored.getexif()
    exif[0x0112] = 6  # a quarter turn to the right
    stored.save(tmp_path / "1.jpg", exif=exif)
    clip = open_frames(tmp_path)
    assert (clip.width, clip.height) == (24, 32)
    ((_, image),) = clip.frames([1])
    assert image.shape == (32, 24, 3)


def test_other_files_are_no_frames(tmp_path: Path) -> None:
    for name in ("00001.png", "poster.png", "._00001.png"):
        write_image(tmp_path / name)
    (tmp_path / "00002.png").mkdir()
    (tmp_path / "notes 3.txt").write_text("")
    clip = open_frames(tmp_path)
    assert clip.frame_count == 1
    assert clip.notes == ("1 image without a number at the end of the name, not used (first: poster.png)",)


def test_a_folder_of_films_says_so(tmp_path: Path) -> None:
    (tmp_path / "season1").mkdir()
    with pytest.raises(InputError, match=r"season1: has no numbered images such as 00001\.jpg$"):
        open_frames(tmp_path / "season1")
    (tmp_path / "season1" / "film1.mp4").touch()
    with pytest.raises(InputError, match=r"but film1\.mp4; films in subfolders are not read"):
        open_frames(tmp_path / "season1")


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.sets(st.integers(1, 40), min_size=1, max_size=8), st.sampled_from(["{}", "{:05d}", "frame-{:03d}"]))
def test_any_numbering_from_1_is_read_or_noted(numbers: set[int], pattern: str) -> None:
    with TemporaryDirectory() as folder:
        for number in numbers:
            write_image(Path(folder) / f"{pattern.format(number)}.png", brightness=number * 6)
        clip = open_frames(Path(folder))
        assert clip.frame_count == max(numbers)
        assert bool(clip.notes) == (numbers != set(range(1, max(numbers) + 1)))
        found = {number: image[0, 0, 0] for number, image in clip.frames(range(50))}
    assert found == {number: number * 6 for number in sorted(numbers)}


def test_images_numbered_from_0_or_twice_are_refused(frame_folders: Path) -> None:
    folder = frame_folders / "clip0"
    (folder / "7.jpg").write_bytes((folder / "00007.jpg").read_bytes())
    with pytest.raises(InputError, match=r"clip0: 00007\.jpg and 7\.jpg have the same number"):
        open_frames(folder)
    (folder / "7.jpg").rename(folder / "00000.jpg")
    with pytest.raises(InputError, match=r"clip0: its images are numbered from 0 \(00000\.jpg\)"):
        open_frames(folder)
