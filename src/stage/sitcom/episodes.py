"""Episodes on disk: films, subtitles, questions and truth, in TVQA+'s formats."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import av
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stage.annotation.questions import question_to_json
from stage.errors import InputError
from stage.io import read_json, write_json, write_text
from stage.sitcom.benchmark.splits import SEED, SPLITS, VERSION, episode_name
from stage.sitcom.drawing.scene import draw
from stage.sitcom.question_writing import CANDIDATES, QUESTIONS_AN_EPISODE, Draft, drafts, select
from stage.sitcom.screenplay import Screenplay, episode_seed, write_screenplay
from stage.sitcom.world import HEIGHT, WIDTH, Setting
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Box, Image, Question, Sentence

PICTURES_PER_SECOND = 6
QUESTIONS_AT_MOST = 100
"""Room for question ids of one episode."""


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode's name, script and questions with their truth."""

    name: str
    play: Screenplay
    frame_count: int
    questions: tuple[Question, ...]
    needs: tuple[str, ...]
    """For each question, whether it takes dialogue, pictures or both."""


def make_episode(split: str, seed: int, index: int, questions: int = QUESTIONS_AN_EPISODE) -> Episode:
    """Everything but the pictures: the same for the same arguments on any machine.

    questions: at most so many of them.
    """
    script_seed = episode_seed(split, seed, index)
    play = write_screenplay(script_seed)
    rng = Random(script_seed + 1)
    name = episode_name(split, seed, index)
    frame_count = int(play.duration * FRAMES_PER_SECOND)
    looked = Looked(play, frame_count)
    chosen = select(rng, drafts(rng, play), looked.shows, questions)
    first = (list(SPLITS).index(split) + 1) * 10**8 + seed * 10**6 + index * QUESTIONS_AT_MOST
    asked = tuple(_question(rng, first + i, name, draft, looked) for i, draft in enumerate(chosen))
    return Episode(name, play, frame_count, asked, tuple(draft.needs for draft in chosen))


class Looked:
    """What can be seen in the frames of an episode that the model will see."""

    def __init__(self, play: Screenplay, frame_count: int) -> None:
        self.play = play
        self.frames = range(1, frame_count + 1, MODEL_STRIDE)
        self._boxes: dict[int, tuple[Box, ...]] = {}

    def boxes(self, frame: int) -> tuple[Box, ...]:
        if frame not in self._boxes:
            self._boxes[frame] = draw(self.play.setting_at(frame / FRAMES_PER_SECOND)).boxes
        return self._boxes[frame]

    def within(self, span: tuple[float, float]) -> list[int]:
        return [frame for frame in self.frames if span[0] <= frame / FRAMES_PER_SECOND <= span[1]]

    def shows(self, draft: Draft) -> bool:
        """Whether half of the span's frames, and one at least, show all that the question is about.

        What is only said can be asked whether or not the speaker is in the shot.
        """
        frames = self.within(draft.span)
        if draft.needs == "dialogue":
            return bool(frames)
        good = [f for f in frames if set(draft.seen) <= {box.label for box in self.boxes(f)}]
        return len(good) >= max(1, len(frames) / 2)


def _question(rng: Random, qid: int, clip: str, draft: Draft, looked: Looked) -> Question:
    answers = [draft.right, *draft.wrong]
    assert len(set(answers)) == CANDIDATES, answers
    rng.shuffle(answers)
    words = f"{draft.text} {draft.right}".split()
    spelled = {word.lower(): word for word in reversed(words)}
    boxes = {
        frame: tuple(
            Box(*box.corners, label=spelled[box.label]) for box in looked.boxes(frame) if box.label in spelled
        )
        for frame in looked.within(draft.span)
    }
    span = (round(draft.span[0], 2), round(draft.span[1], 2))
    return Question(qid, clip, draft.text, tuple(answers), answers.index(draft.right), span, boxes)


def _check_folder(out: Path, described: Path, settings: Mapping[str, object]) -> None:
    """Raises InputError if a folder holds what other settings, or another program, have written.

    More episodes of the same settings, or fewer, are no others.
    """
    if not described.exists():
        if (out / "questions.json").exists():
            raise InputError(f"{out}: holds questions of another data set; write to another folder")
        return
    before = read_json(described)
    if not isinstance(before, dict) or {**before, **settings, "episodes": before.get("episodes")} != before:
        raise InputError(f"{out}: holds other episodes ({json.dumps(before)}); write to another folder")


def description(split: str, seed: int, questions: int, episodes: int) -> dict[str, object]:
    """What a folder was made from: sitcom.json."""
    return {
        "split": split, "seed": seed, "version": VERSION, "questions": questions, "episodes": episodes,
    }  # fmt: skip


def write_sitcom(
    out: Path,
    split: str,
    episodes: int,
    seed: int = SEED,
    workers: int = 1,
    questions: int = QUESTIONS_AN_EPISODE,
) -> None:
    """Write episodes below `out`; those that are there already are kept, so a stopped run goes on.

    out/episodes: films (.mp4) and subtitles (.srt); out/truth: the truth of each episode; questions.json,
    subtitles.json and frames.json: all of it in TVQA+'s layout; sitcom.json: what it was made from.
    """
    settings = description(split, seed, questions, episodes)
    described = out / "sitcom.json"
    _check_folder(out, described, settings)
    for folder in ("episodes", "truth"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    write_json(described, settings)
    names = [episode_name(split, seed, i) for i in range(episodes)]
    missing = [i for i, name in enumerate(names) if not (out / "truth" / f"{name}.json").exists()]
    columns = (TextColumn("Drawing episodes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
    ):
        task = bar.add_task("", total=episodes, completed=episodes - len(missing))
        drawn = [pool.submit(write_episode, out, split, seed, i, questions) for i in missing]
        try:
            for done in as_completed(drawn):
                done.result()
                bar.advance(task)
        except BaseException:  # leaving the pool would wait for all that still waits in it
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    truths = [read_json(out / "truth" / f"{name}.json") for name in names]
    write_json(out / "questions.json", [q for truth in truths for q in truth["questions"]])
    write_json(out / "subtitles.json", {truth["name"]: truth["subtitles"] for truth in truths})
    write_json(out / "frames.json", {truth["name"]: truth["frame_count"] for truth in truths})


def write_episode(out: Path, split: str, seed: int, index: int, questions: int) -> None:
    """One episode: film and subtitles, then its truth, which marks it as complete."""
    episode = make_episode(split, seed, index, questions)
    write_film(out / "episodes" / f"{episode.name}.mp4", episode.play)
    write_text(out / "episodes" / f"{episode.name}.srt", srt(episode.play.sentences))
    write_json(out / "truth" / f"{episode.name}.json", truth_of(episode))


def write_film(path: Path, play: Screenplay) -> None:
    """H.264 in .mp4, 6 pictures a second: picture n shows second n / 6."""
    partial = path.with_name(f".{path.name}.partial")
    with av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=PICTURES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "23", "preset": "veryfast", "threads": "1"}
        for i, picture in enumerate(pictures(play)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, PICTURES_PER_SECOND)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    os.replace(partial, path)


def picture_count(play: Screenplay) -> int:
    """How many pictures the film of an episode has."""
    return int(play.duration * PICTURES_PER_SECOND) + 1


def pictures(play: Screenplay) -> Iterator[Image]:
    """Every picture of the film; where nothing moves the last one is shown again."""
    last: tuple[Setting, Image] | None = None
    for i in range(picture_count(play)):
        setting = play.setting_at(i / PICTURES_PER_SECOND)
        if last is None or last[0] != setting:
            last = (setting, draw(setting).picture)
        yield last[1]


def srt(sentences: tuple[Sentence, ...]) -> str:
    """SubRip text."""
    cues = [f"{i}\n{_clock(s.start)} --> {_clock(s.end)}\n{s.text}\n" for i, s in enumerate(sentences, 1)]
    return "\n".join(cues)


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"


def truth_of(episode: Episode) -> dict[str, Any]:
    """An episode's truth file."""
    sentences = episode.play.sentences
    return {
        "name": episode.name,
        "frame_count": episode.frame_count,
        "subtitles": {
            "sub_text": " <eos> ".join(s.text for s in sentences),
            "sub_time": [s.start for s in sentences],
            "sub_end": [s.end for s in sentences],
        },
        "questions": [
            {**question_to_json(question), "needs": needs}
            for question, needs in zip(episode.questions, episode.needs, strict=True)
        ],
        "screenplay": asdict(episode.play),
    }
