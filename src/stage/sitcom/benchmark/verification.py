"""Whether a data folder holds a published split of the sitcom, and all that differs if not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from stage.errors import InputError
from stage.io import read_json, to_json
from stage.media.video import open_video
from stage.sitcom.benchmark.splits import SPLITS, Published, digest_of, published
from stage.sitcom.drawing.scene import draw
from stage.sitcom.episodes import (
    PICTURES_PER_SECOND,
    description,
    make_episode,
    picture_count,
    srt,
    truth_of,
)
from stage.sitcom.screenplay import Screenplay, episode_seed, write_screenplay
from stage.sitcom.world import HEIGHT, WIDTH
from stage.types import Progress

MOST_CODING_ERROR = 6.0
"""Mean difference, of 255, between a picture as it was drawn and as the film shows it. About 2 is usual; pictures
of two beats differ by 15 and more."""

Compare = Callable[[str, Any, Any], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Checked:
    """An episode as it should be, in the layout of truth files, and what differs from it."""

    truth: Mapping[str, Any]
    differences: tuple[str, ...]


def split_in(folder: Path) -> Published:
    """The published split that a folder says it holds. Raises InputError if it names none."""
    described = read_json(folder / "sitcom.json")
    split = described.get("split") if isinstance(described, dict) else None
    if not isinstance(split, str) or split not in SPLITS:
        raise InputError(f"{folder / 'sitcom.json'}: names none of the splits {', '.join(SPLITS)}")
    return published(split)


def differences(folder: Path, wanted: Published, workers: int, progress: Progress) -> Iterator[str]:
    """A line for each thing that is not as published. Where settings differ, contents are not looked at.

    Only an episode whose truth is not the published one is made anew. Films have to be whole, of the right size and
    length, and show in their middle what was drawn; single pixels depend on the encoder.
    """
    settings = list(_compare(folder, "sitcom.json", _settings, wanted))
    yield from settings
    if settings:
        return
    truths = []
    for name, checked in zip(wanted.names, _check_all(folder, wanted, workers), strict=True):
        yield from checked.differences
        truths.append(checked.truth)
        progress(len(truths), len(wanted.digests), name)
    yield from _foreign_files(folder, set(wanted.names))
    questions = [question for truth in truths for question in truth["questions"]]
    yield from _compare(folder, "questions.json", _questions, questions)
    for file, part in (("subtitles.json", "subtitles"), ("frames.json", "frame_count")):
        yield from _compare(folder, file, _clips, {truth["name"]: truth[part] for truth in truths})


def _check_all(folder: Path, wanted: Published, workers: int) -> Iterator[Checked]:
    check = partial(check_episode, folder, wanted)
    count = len(wanted.digests)
    if workers == 1:
        yield from map(check, range(count))
    else:
        with ProcessPoolExecutor(min(workers, count), mp_context=get_context("spawn")) as pool:
            yield from pool.map(check, range(count))


def check_episode(folder: Path, wanted: Published, index: int) -> Checked:
    """Truth, subtitles and film of one episode."""
    name = wanted.names[index]
    truth_file, subtitles, film = f"truth/{name}.json", f"episodes/{name}.srt", f"episodes/{name}.mp4"
    content = _bytes(folder / truth_file) or b""
    found: list[str] = []
    if digest_of(content) == wanted.digests[index]:
        truth = json.loads(content)
    else:
        made = to_json(truth_of(make_episode(wanted.split, wanted.seed, index, wanted.questions)))
        truth = json.loads(made)
        if digest_of(made.encode()) != wanted.digests[index]:
            here = f"this installation (OpenCV {cv2.__version__})"
            found.append(f"{name}: {here} does not make what was published; compared with what it makes")
        found += _compare(folder, truth_file, _truth, truth)
    play = write_screenplay(episode_seed(wanted.split, wanted.seed, index))
    spoken = _bytes(folder / subtitles)
    if spoken is None:
        found.append(f"{subtitles}: is missing")
    elif spoken.decode(errors="replace").splitlines() != srt(play.sentences).splitlines():
        found.append(f"{subtitles}: is not what is said in the episode")
    found += (f"{film}: {problem}" for problem in film_problems(folder / film, play))
    return Checked(truth, tuple(found))


def film_problems(path: Path, play: Screenplay) -> Iterator[str]:
    """What is wrong with the film of an episode. All of it is decoded."""
    if not path.is_file():
        yield "is missing"
        return
    middle = picture_count(play) // 2
    shown: av.VideoFrame | None = None
    whole = 0
    try:
        video = open_video(path)
        with av.open(str(path)) as container:
            for picture in container.decode(video=0):
                shown = picture if whole == middle else shown
                whole += not picture.is_corrupt
    except InputError as error:
        yield str(error).removeprefix(f"{path}: ")
        return
    except (av.error.FFmpegError, OSError) as error:
        yield f"can't be decoded after {whole} pictures ({error.strerror})"
        return
    if (video.width, video.height) != (WIDTH, HEIGHT):
        yield f"is {video.width} x {video.height} pixels large, not {WIDTH} x {HEIGHT}"
    elif whole != picture_count(play):
        yield f"has {whole} whole pictures, not {picture_count(play)}"
    elif shown is not None:
        drawn = draw(play.setting_at(middle / PICTURES_PER_SECOND)).picture.astype(np.int16)
        off = float(np.abs(drawn - shown.to_ndarray(format="rgb24")).mean())
        if off > MOST_CODING_ERROR:
            yield f"does not show in its middle what was drawn (off by {off:.0f} of 255 on average)"


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _foreign_files(folder: Path, names: set[str]) -> Iterator[str]:
    """Files that a published split does not have; hidden ones, as a stop leaves them, don't count."""
    for part, endings in (("episodes", (".mp4", ".srt")), ("truth", (".json",))):
        for path in sorted((folder / part).glob("*")):
            if not path.name.startswith(".") and not (path.stem in names and path.suffix in endings):
                yield f"{part}/{path.name}: was not published"


def _compare(folder: Path, file: str, compare: Compare, wanted: Any) -> Iterator[str]:
    """How a JSON file differs from what it should hold."""
    path = folder / file
    if not path.is_file():
        yield f"{file}: is missing"
        return
    try:
        found = read_json(path)
    except InputError as error:
        yield str(error).replace(f"{path}: ", f"{file}: ", 1)
        return
    yield from compare(file, found, wanted)


def _settings(file: str, found: Any, wanted: Published) -> Iterator[str]:
    if not isinstance(found, dict):
        yield f"{file}: is no object with split, seed, version, ..."
        return
    settings = description(wanted.split, wanted.seed, wanted.questions, len(wanted.digests))
    for key, value in settings.items():
        if found.get(key) != value:
            yield f"{file}: {key} is {json.dumps(found.get(key))}; published is {json.dumps(value)}"


def _truth(file: str, found: Any, wanted: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(found, dict):
        yield f"{file}: is no object with name, questions, ..."
        return
    if parts := _parts(found, {**wanted, "questions": found.get("questions")}):
        yield f"{file}: differs in {parts}"
    yield from _questions(file, found.get("questions"), wanted["questions"])


def _questions(file: str, found: Any, wanted: list[Any]) -> Iterator[str]:
    if not isinstance(found, list):
        yield f"{file}: has no list of questions"
        return
    by_id: dict[int, Any] = {}
    for position, entry in enumerate(found):
        qid = entry.get("qid") if isinstance(entry, dict) else None
        if not isinstance(qid, int):
            yield f"{file}: entry {position} is no question with a qid"
        elif qid in by_id:
            yield f"{file}: has question {qid} twice"
        else:
            by_id[qid] = entry
    yield from _entries(file, "question", by_id, {entry["qid"]: entry for entry in wanted})


def _clips(file: str, found: Any, wanted: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(found, dict):
        yield f"{file}: is no object with a value for each clip"
        return
    yield from _entries(file, "clip", found, wanted)


def _entries(file: str, what: str, found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> Iterator[str]:
    for key, entry in wanted.items():
        if key not in found:
            yield f"{file}: lacks {what} {key}"
        elif found[key] != entry:
            parts = _parts(found[key], entry)
            yield f"{file}: {what} {key} differs" + (f" in {parts}" if parts else "")
    for key in found:
        if key not in wanted:
            yield f"{file}: has {what} {key}, which was not published"


def _parts(found: Any, wanted: Any) -> str:
    """The fields in which two objects differ."""
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        return ""
    fields = {**wanted, **found}
    absent = object()
    return ", ".join(key for key in fields if found.get(key, absent) != wanted.get(key, absent))
