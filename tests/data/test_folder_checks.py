"""A data folder is held against itself: every fault that makes results wrong is found, once, with what to do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from films import WIDTH
from samples.film_folder import (
    BOX,
    SPOKEN,
    question,
    write,
    write_sound_folder,
)
from stage.annotation.issues import Issues
from stage.data.folder_checks import check_folder
from stage.features.store.feature_store import FeatureStore


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sound_folder(tmp_path_factory.mktemp("folder") / "data")


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "data"))  # which keeps the films' time stamps


def checked(folder: Path) -> Issues:
    return check_folder(folder, lambda done, total, item: None)[1]


def test_a_sound_folder_has_no_issues(data: Path) -> None:
    assert checked(data) == Issues()


Fault = Callable[[Path], object]


def asked(**changes: object) -> Fault:
    return lambda folder: write(
        folder / "questions.json", [question(0, "one"), question(1, "two"), question(2, "one", **changes)]
    )


def said(**changes: object) -> Fault:
    return lambda folder: write(folder / "subtitles.json", {"one": SPOKEN, "two": SPOKEN | changes})


def counted(**counts: int) -> Fault:
    return lambda folder: write(folder / "frames.json", {"one": 24, "two": 24} | counts)


def removed(*names: str) -> Fault:
    def remove(folder: Path) -> None:
        for name in names:
            shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()

    return remove


def renamed(old: str, new: str) -> Fault:
    return lambda folder: (folder / old).rename(folder / new)


def numbered_from(first: int, count: int, seconds: float) -> Fault:
    """Films become folders of images; labels and subtitles reach `seconds`."""

    def make(folder: Path) -> None:
        import cv2

        shutil.rmtree(folder / "features")
        for clip in ("one", "two"):
            (folder / "episodes" / f"{clip}.mp4").unlink()
            (folder / "episodes" / clip).mkdir()
            for number in range(first, first + count):
                path = folder / "episodes" / clip / f"{number:05d}.png"
                cv2.imwrite(str(path), np.full((48, WIDTH, 3), 99, np.uint8))
        write(folder / "frames.json", dict.fromkeys(("one", "two"), first + count - 1))
        write(folder / "questions.json", [question(0, "one"), question(1, "two", ts=[1, seconds])])

    return make


FAULTS = [
    (removed("frames.json"), "missing files", r"frames\.json", "stage data make"),
    (removed("subtitles.json"), "missing files", r"subtitles\.json", "stage data make"),
    (lambda f: write(f / "questions.json", []), "files without questions", "questions.json", "write"),
    (lambda f: write(f / "frames.json", []), "files that can't be read", "frames.json", "stage data make"),
    (asked(vid_name="onee"), "clips with questions that", r"onee \(did you mean one\?\)", "vid_name"),
    (asked(a2="A cat ."), "another number of answers", "3 instead of 2, question 2", "same number"),
    (asked(ts=[20, 500]), "spans outside their clip", r"20 to 500 s, but one lasts 8\.0 s, question 2", "ts"),
    (asked(ts=[0, 200]), "spans that end after their clip", r"0 to 200 s, but one lasts 8\.0 s", "ts"),
    (asked(ts=[5, 5]), "empty spans", "5 to 5 s, question 2", "ts"),
    (asked(ts=[9, 3]), "questions that can't be read", "question 2: ts .* can't end before it starts", "entry"),
    (asked(bbox={"30": [BOX]}, ts=None), "frames past the end of their clip", "frame 30 of 24 in one", "three per"),
    (said(sub_time=[1000, 4000], sub_end=[3000, 5500]), "in milliseconds", "two in .*: 2 of 2 sentences", "seconds"),
    (said(sub_time=[20, 9000], sub_end=[23, 9001]), "past their end", "2 of 2 sentences, up to 9000 s", "this film"),
    (said(sub_end=[0.5, 5.5]), "end before they start", "1 of 2 sentences, first at 1 s", "sub_end"),
    (said(sub_end=[3.0]), "entries of subtitles.json", "2 sentences, but 2 start times and 1 end time", "make"),
    (counted(two=168), "frame counts that are not", r"two in .*: 168, but the film has 24 \(8\.0 s\)", "make"),
    (counted(two=20), "frame counts that are not the film's", "two in .*: 20, but the film has 24", "make"),
    (counted(two=0), "entries of frames.json", "clip two: frame count is 0", "make"),
    (renamed("episodes/two.mp4", "episodes/too.mp4"), "without a film", r"two \(did you mean too\?\)", "episodes"),
    (lambda f: (f / "episodes" / "two.mp4").write_bytes(b"?"), "films that can't be read", "two.mp4", ""),
    (removed("features/clips/two.safetensors"), "clips without regions", "two in .*features", "stage features all"),
    (asked(bbox={"8": [BOX]}), "frames have no regions", "one in .*: 4 of 8 frames, first: 2", "stage features"),
    (asked(q="Where is it ?"), "whose word vectors", "question 2 about one: .*Where is it", "stage features"),
    (said(sub_text="Unheard . <eos> Mia : no ."), "whose word", "subtitles of two: .*Unheard", "stage features"),
    (removed("features/attributes.json"), "features that can't be used", "attributes.json", ""),
    (numbered_from(0, 25, 5), "films that can't be read", "one: its images are numbered from 0", ""),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "kind", "location", "fix"), FAULTS)
def test_a_fault_that_makes_results_wrong_is_found_once(
    data: Path, fault: Fault, kind: str, location: str, fix: str
) -> None:
    fault(data)
    issues = checked(data)
    (found,) = [each for each in issues.errors if kind in each]
    first, *others = issues.by_kind[found]
    assert re.search(location, first), first
    assert fix in issues.fixes.get(found, "")
    assert not others or all(re.search(r"\b(one|two)\b", each) for each in (first, *others))


NOTES = [
    (removed("features"), "data folders without features", "stage features all"),
    (removed("features", "episodes"), "data folders without films", "episodes"),
    (said(sub_time=[1.0, 900], sub_end=[3, 901]), "clips with sentences past their end", "this film"),
    (counted(one=26), "differ from the film's by a second or less", ""),
    (counted(three=24), "clips without questions", ""),
    (lambda f: write(f / "subtitles.json", {"one": SPOKEN}), "that subtitles.json lacks", ""),
    (asked(bbox={"7": [BOX | {"left": 290}]}), "boxes that extend beyond the frame", "pixels of the film"),
    (
        numbered_from(1, 200, 7),
        "frame folders with more images than labels and subtitles reach",
        "three images",
    ),
]


@pytest.mark.parametrize(("fault", "kind", "fix"), NOTES)
def test_what_may_be_as_it_should_be_is_listed_and_no_error(
    data: Path, fault: Fault, kind: str, fix: str
) -> None:
    fault(data)
    issues = checked(data)
    (found,) = [each for each in issues.by_kind if kind in each]
    assert fix in issues.fixes.get(found, "")
    assert not issues.errors


def test_gaps_between_frame_images_are_listed(data: Path) -> None:
    numbered_from(1, 24, 7)(data)
    (data / "episodes" / "one" / "00009.png").unlink()
    (note,) = checked(data).by_kind["films with irregularities"]
    assert note == "one: no image for 1 frame of 24 (first: 9); they look empty"


def test_damaged_features_are_found(data: Path) -> None:
    path = data / "features" / "clips" / "two.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 0x55
    path.write_bytes(bytes(content))
    issues = checked(data)
    (kind,) = issues.errors
    assert kind == "features that can't be used"
    assert "two" in issues.by_kind[kind][0]


def test_frame_images_at_three_a_second_are_not_doubted(data: Path) -> None:
    numbered_from(1, 24, 7)(data)
    assert set(checked(data).by_kind) == {"data folders without features"}


def test_subtitles_under_a_mistyped_name_are_an_error_where_a_clip_has_none(data: Path) -> None:
    write(data / "subtitles.json", {"one": SPOKEN, "tow": SPOKEN})
    issues = checked(data)
    assert "tow (did you mean two?)" in issues.by_kind["subtitles of unknown clips"][0]
    assert "subtitles of unknown clips" in issues.errors


def test_boxes_are_held_against_the_films_own_size(data: Path) -> None:
    """A film may be larger or smaller than those of the release, 640 x 360."""
    asked(bbox={"7": [BOX | {"width": WIDTH}]})(data)
    (kind,) = checked(data).by_kind
    assert kind == "boxes that extend beyond the frame"
    store = FeatureStore.open(data / "features")
    shutil.rmtree(data / "episodes")
    for clip in ("one", "two"):
        film = store.film(clip)
        assert film is not None
        store.put_clip(clip, dict(store.clip(clip)), replace(film, width=1920, height=1080))
    asked(bbox={"7": [BOX | {"left": 1700}]})(data)
    assert "boxes that extend beyond the frame" not in checked(data).by_kind


def test_features_of_another_film_are_found(data: Path) -> None:
    shutil.copy(data / "episodes" / "one.mp4", data / "episodes" / "two.mp4")
    with (data / "episodes" / "two.mp4").open("ab") as film:
        film.write(bytes(64))
    (location,) = checked(data).by_kind["features of another film"]
    assert location.startswith("two in ")


def test_features_that_do_not_record_their_films_are_named_once(data: Path) -> None:
    store = FeatureStore.open(data / "features")
    for clip in ("one", "two"):
        store.put_clip(clip, dict(store.clip(clip)))
    issues = checked(data)
    assert issues.by_kind == {"features that don't record their films": [f"2 clips in {store.folder}"]}
    assert not issues.errors


def test_what_other_commands_refuse_is_never_called_regular(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stage.data import folder_checks
    from stage.errors import InputError

    def refuse(folder: Path, limits: object) -> None:
        raise InputError("for a reason that no check knows")

    monkeypatch.setattr(folder_checks, "open_questions", refuse)
    issues = checked(data)
    assert issues.by_kind == {"data folders that other commands refuse": ["for a reason that no check knows"]}
    assert issues.errors


def test_a_film_is_its_clip_in_either_form_of_unicode(data: Path) -> None:
    shutil.rmtree(data / "features")
    decomposed, composed = "Zoe\u0308", "Zo\u00eb"
    (data / "episodes" / "one.mp4").rename(data / "episodes" / f"{decomposed}.mp4")
    write(data / "questions.json", [question(0, composed), question(1, "two")])
    write(data / "frames.json", {decomposed: 24, "two": 24})
    write(data / "subtitles.json", {composed: SPOKEN, "two": SPOKEN})
    assert set(checked(data).by_kind) == {"data folders without features"}
    write(data / "frames.json", {decomposed: 24, composed: 24, "two": 24})
    assert "twice, in two forms of Unicode" in json.dumps(checked(data).by_kind["files that can't be read"])
