"""Verifying that a data folder is a published split, and listing differences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import av
import cv2

from stage.errors import InputError
from stage.io import read_json, to_json
from stage.media.video import open_video
from stage.runtime.worker_pool import WorkerPool
from stage.sitcom.benchmark.splits import SPLITS, PublishedSplit, digest_of, published
from stage.sitcom.episodes import (
    VIDEO_FRAMES_PER_SECOND,
    description,
    make_episode,
    srt,
    truth_of,
    video_frame_count,
    video_frames,
)
from stage.sitcom.screenplay import Screenplay, episode_seed, write_screenplay
from stage.sitcom.world import HEIGHT, WIDTH
from stage.types import Image, Progress
from stage.wording import counted

MAX_CODING_ERROR = 6.0
"""Mean absolute difference, of 255, between a drawn image and the film's frame. In the films of the test split it is
3.0 at most; frames of different beats differ by 15 and more."""
BLOCK = 20
"""Side in pixels of the blocks in which the difference is bounded too; width and height are multiples of it."""
MAX_BLOCK_ERROR = 40
"""Mean absolute difference, of 255, in a block and a colour channel. In the films of the test split it is 23 at most.
What covers a block is found if it differs by more from what it covers: 40 x 40 pixels anywhere cover one."""

Compare = Callable[[str, Any, Any], Iterator[str]]
"""(file, actual content, expected content) -> differences."""


@dataclass(frozen=True, slots=True)
class EpisodeCheck:
    """The result of checking an episode."""

    truth: Mapping[str, Any]
    """The expected content of its truth file."""
    differences: tuple[str, ...]


def split_in(folder: Path) -> PublishedSplit:
    """The published split that a folder's sitcom.json names. Raises InputError if it names none."""
    settings = read_json(folder / "sitcom.json")
    split = settings.get("split") if isinstance(settings, dict) else None
    if not isinstance(split, str) or split not in SPLITS:
        raise InputError(f"{folder / 'sitcom.json'}: names none of the splits {', '.join(SPLITS)}")
    return published(split)


def differences(folder: Path, expected: PublishedSplit, workers: int, progress: Progress) -> Iterator[str]:
    """One line per difference from the published split. If settings differ, contents are not compared.

    Only episodes whose truth file differs are generated again. Films must be complete, have the right size and
    length, and show the drawn image in each frame; single pixels depend on the encoder.
    """
    settings = list(_compare(folder, "sitcom.json", _settings, expected))
    yield from settings
    if settings:
        return
    truths = []
    for name, checked in zip(expected.names, _check_all(folder, expected, workers), strict=True):
        yield from checked.differences
        truths.append(checked.truth)
        progress(len(truths), len(expected.digests), name)
    yield from _unknown_files(folder, set(expected.names))
    questions = [question for truth in truths for question in truth["questions"]]
    yield from _compare(folder, "questions.json", _questions, questions)
    for file, part in (("subtitles.json", "subtitles"), ("frames.json", "frame_count")):
        yield from _compare(folder, file, _clips, {truth["name"]: truth[part] for truth in truths})


def _check_all(folder: Path, expected: PublishedSplit, workers: int) -> Iterator[EpisodeCheck]:
    check = partial(check_episode, folder, expected)
    count = len(expected.digests)
    if workers == 1:
        yield from map(check, range(count))
    else:
        with WorkerPool(min(workers, count)) as pool:
            yield from pool.map(check, range(count))


def check_episode(folder: Path, expected: PublishedSplit, index: int) -> EpisodeCheck:
    """Check the truth file, subtitles and film of one episode."""
    name = expected.names[index]
    truth_file, subtitles, film = f"truth/{name}.json", f"episodes/{name}.srt", f"episodes/{name}.mp4"
    content = _bytes(folder / truth_file) or b""
    problems: list[str] = []
    if digest_of(content) == expected.digests[index]:
        truth = json.loads(content)
    else:
        generated = to_json(truth_of(make_episode(expected.split, expected.seed, index, expected.questions)))
        truth = json.loads(generated)
        if digest_of(generated.encode()) != expected.digests[index]:
            here = f"this installation (OpenCV {cv2.__version__})"
            problems.append(
                f"{name}: {here} does not reproduce the published episode; compared with what it generates"
            )
        problems += _compare(folder, truth_file, _truth, truth)
    play = write_screenplay(episode_seed(expected.split, expected.seed, index))
    stored_srt = _bytes(folder / subtitles)
    if stored_srt is None:
        problems.append(f"{subtitles}: is missing")
    elif stored_srt.decode(errors="replace").splitlines() != srt(play.sentences).splitlines():
        problems.append(f"{subtitles}: differs from the episode's dialogue")
    problems += (f"{film}: {problem}" for problem in film_problems(folder / film, play))
    return EpisodeCheck(truth, tuple(problems))


def film_problems(path: Path, play: Screenplay) -> Iterator[str]:
    """What is wrong with the film of an episode. Decodes all of it, and draws all of it again."""
    if not path.is_file():
        yield "is missing"
        return
    expected = video_frame_count(play)
    decoded = intact = 0
    wrong: list[tuple[float, float]] = []
    try:
        video = open_video(path)
        if (video.width, video.height) != (WIDTH, HEIGHT):
            yield f"has {video.width} x {video.height} pixels, not {WIDTH} x {HEIGHT}"
            return
        with av.open(str(path)) as container:
            shown, drawings = container.decode(video=0), chain(video_frames(play), repeat(None))
            for frame, drawn in zip(shown, drawings, strict=False):
                intact += not frame.is_corrupt
                if drawn is not None and (difference := _visible_difference(frame, drawn)):
                    wrong.append((decoded / VIDEO_FRAMES_PER_SECOND, difference))
                decoded += 1
    except InputError as error:
        yield str(error).removeprefix(f"{path}: ")
        return
    except (av.error.FFmpegError, OSError) as error:
        yield f"can't be decoded after {counted(intact, 'frame')} ({error.strerror})"
        return
    if intact != expected:
        yield f"has {counted(intact, 'intact frame')}, not {expected}"
    elif wrong:
        (second, difference), last = wrong[0], wrong[-1][0]
        yield (
            f"does not show the drawn image in {len(wrong)} of {counted(expected, 'frame')}, at {second:.1f} s "
            f"by {difference:.0f} of 255 levels, and last at {last:.1f} s"
        )


def _visible_difference(frame: av.VideoFrame, drawn: Image) -> float:
    """The largest mean absolute difference of a block of pixels, of 255; 0 if encoding alone explains it."""
    error = cv2.absdiff(drawn, frame.to_ndarray(format="rgb24"))
    blocks = cv2.resize(error, (WIDTH // BLOCK, HEIGHT // BLOCK), interpolation=cv2.INTER_AREA)
    explained = blocks.mean() <= MAX_CODING_ERROR and blocks.max() <= MAX_BLOCK_ERROR
    return 0.0 if explained else float(blocks.max())


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _unknown_files(folder: Path, names: set[str]) -> Iterator[str]:
    """Files that a published split does not have. Hidden ones, which an interrupted run may leave, are ignored."""
    for part, endings in (("episodes", (".mp4", ".srt")), ("truth", (".json",))):
        for path in sorted((folder / part).glob("*")):
            if not path.name.startswith(".") and not (path.stem in names and path.suffix in endings):
                yield f"{part}/{path.name}: was not published"


def _compare(folder: Path, file: str, compare: Compare, expected: Any) -> Iterator[str]:
    """How a JSON file differs from its expected content."""
    path = folder / file
    if not path.is_file():
        yield f"{file}: is missing"
        return
    try:
        actual = read_json(path)
    except InputError as error:
        yield str(error).replace(f"{path}: ", f"{file}: ", 1)
        return
    yield from compare(file, actual, expected)


def _settings(file: str, actual: Any, expected: PublishedSplit) -> Iterator[str]:
    if not isinstance(actual, dict):
        yield f"{file}: is not an object with split, seed, version, ..."
        return
    settings = description(expected.split, expected.seed, expected.questions, len(expected.digests))
    for key, value in settings.items():
        if actual.get(key) != value:
            yield f"{file}: {key} is {json.dumps(actual.get(key))}; published: {json.dumps(value)}"


def _truth(file: str, actual: Any, expected: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(actual, dict):
        yield f"{file}: is not an object with name, questions, ..."
        return
    if parts := _parts(actual, {**expected, "questions": actual.get("questions")}):
        yield f"{file}: differs in {parts}"
    yield from _questions(file, actual.get("questions"), expected["questions"])


def _questions(file: str, actual: Any, expected: list[Any]) -> Iterator[str]:
    if not isinstance(actual, list):
        yield f"{file}: has no list of questions"
        return
    by_id: dict[int, Any] = {}
    for position, entry in enumerate(actual):
        qid = entry.get("qid") if isinstance(entry, dict) else None
        if not isinstance(qid, int):
            yield f"{file}: entry {position} is not a question with a qid"
        elif qid in by_id:
            yield f"{file}: has question {qid} twice"
        else:
            by_id[qid] = entry
    yield from _entries(file, "question", by_id, {entry["qid"]: entry for entry in expected})


def _clips(file: str, actual: Any, expected: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(actual, dict):
        yield f"{file}: is not an object with a value per clip"
        return
    yield from _entries(file, "clip", actual, expected)


def _entries(file: str, what: str, actual: Mapping[Any, Any], expected: Mapping[Any, Any]) -> Iterator[str]:
    for key, entry in expected.items():
        if key not in actual:
            yield f"{file}: lacks {what} {key}"
        elif actual[key] != entry:
            parts = _parts(actual[key], entry)
            yield f"{file}: {what} {key} differs" + (f" in {parts}" if parts else "")
    for key in actual:
        if key not in expected:
            yield f"{file}: has {what} {key}, which was not published"


def _parts(actual: Any, expected: Any) -> str:
    """The fields in which two objects differ."""
    if not isinstance(actual, dict) or not isinstance(expected, dict):
        return ""
    fields = {**expected, **actual}
    absent = object()
    return ", ".join(key for key in fields if actual.get(key, absent) != expected.get(key, absent))
