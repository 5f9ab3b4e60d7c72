"""A film is recognised after copying, and another one in its place is not taken for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from stage.errors import InputError
from stage.features.store.film_record import FilmRecord, has_same_stamp, is_same_film, record_film
from stage.media.frame_folder import open_frames
from stage.media.video import open_video


def frames(folder: Path, numbers: range, shade: int = 50) -> Path:
    folder.mkdir()
    for number in numbers:
        cv2.imwrite(str(folder / f"{number:05d}.bmp"), np.full((36, 64, 3), shade + number, np.uint8))
    return folder


def test_a_film_is_recorded_with_its_length_and_size(short_film: Path) -> None:
    opened = open_video(short_film)
    record = record_film(short_film, opened)
    assert (record.frame_count, record.width, record.height) == (12, opened.width, opened.height)
    assert record.size == short_film.stat().st_size
    assert FilmRecord.from_json(record.to_json()) == record


def test_a_copied_or_renamed_film_is_the_same_and_a_changed_one_is_not(
    short_film: Path, tmp_path: Path
) -> None:
    film = Path(shutil.copy(short_film, tmp_path / "other name.mp4"))
    record = record_film(short_film, open_video(short_film))
    os.utime(film, ns=(1, 1))
    assert not has_same_stamp(film, record)
    assert is_same_film(film, record)
    raw = film.read_bytes()
    middle = len(raw) // 2
    film.write_bytes(raw[:middle] + bytes([raw[middle] ^ 255]) + raw[middle + 1 :])  # of the same size
    assert not is_same_film(film, record)
    film.write_bytes(raw + b"\0")
    assert not is_same_film(film, record)
    film.unlink()
    with pytest.raises(InputError, match="can't be read"):
        is_same_film(film, record)


def test_a_folder_of_images_is_recognised_like_a_film(tmp_path: Path) -> None:
    folder = frames(tmp_path / "clip", range(1, 8))
    record = record_film(folder, open_frames(folder))
    assert (record.frame_count, record.width, record.height) == (7, 64, 36)
    assert has_same_stamp(folder, record)
    copy = Path(shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile))
    assert not has_same_stamp(copy, record)
    assert is_same_film(copy, record)
    assert not is_same_film(frames(tmp_path / "longer", range(1, 9)), record)
    # Images without compression are all of one size: only their content tells them apart.
    assert not is_same_film(frames(tmp_path / "darker", range(1, 8), shade=40), record)
    shutil.copytree(tmp_path / "darker", folder, copy_function=shutil.copyfile, dirs_exist_ok=True)
    assert not has_same_stamp(
        folder, record
    )  # overwritten in place, which the folder's own stamp doesn't show


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"fingerprint": "a", "size": 1.5}', '{"fingerprint": 3}'])
def test_a_record_that_is_damaged_is_no_record(text: str) -> None:
    with pytest.raises(ValueError, match=r"record of its film|Expecting"):
        FilmRecord.from_json(text)
