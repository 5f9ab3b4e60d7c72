"""Episodes on disk: films, subtitles, questions and truth, in TVQA+'s formats."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import av
import pysubs2

from stage.annotation.questions import question_to_json
from stage.errors import InputError
from stage.io import read_json, write_json, write_text, writing_file
from stage.lock import locked
from stage.runtime.worker_pool import WorkerPool
from stage.sitcom.benchmark.splits import SEED, SPLITS, VERSION, episode_name
from stage.sitcom.drawing.scene import draw
from stage.sitcom.question_writing import CANDIDATES, QUESTIONS_PER_EPISODE, Draft, drafts, select
from stage.sitcom.screenplay import Screenplay, episode_seed, write_screenplay
from stage.sitcom.world import HEIGHT, WIDTH, Setting
from stage.temporary import remove_leftovers
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Box, Image, Progress, Question, Sentence

VIDEO_FRAMES_PER_SECOND = 6
ENCODING = {"crf": "23", "preset": "veryfast", "threads": "1"}
"""Options of libx264."""
QUESTION_IDS_PER_EPISODE = 100
"""More than an episode has questions."""


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode's name, script and questions with their truth."""

    name: str
    play: Screenplay
    frame_count: int
    questions: tuple[Question, ...]
    needs: tuple[str, ...]
    """For each question, whether it takes dialogue, pictures or both to answer it."""


def make_episode(split: str, seed: int, index: int, questions: int = QUESTIONS_PER_EPISODE) -> Episode:
    """Everything but the video: the same arguments give the same episode on any machine.

    questions: their maximum number.
    """
    script_seed = episode_seed(split, seed, index)
    play = write_screenplay(script_seed)
    rng = Random(script_seed + 1)
    name = episode_name(split, seed, index)
    frame_count = int(play.duration * FRAMES_PER_SECOND)
    visible = VisibleBoxes(play, frame_count)
    chosen = select(rng, drafts(rng, play), visible.show, questions)
    first = (list(SPLITS).index(split) + 1) * 10**8 + seed * 10**6 + index * QUESTION_IDS_PER_EPISODE
    asked = tuple(_question(rng, first + i, name, draft, visible) for i, draft in enumerate(chosen))
    return Episode(name, play, frame_count, asked, tuple(draft.needs for draft in chosen))


class VisibleBoxes:
    """The boxes of everything visible in those frames of an episode that the model reads."""

    def __init__(self, play: Screenplay, frame_count: int) -> None:
        self.play = play
        self.frames = range(1, frame_count + 1, MODEL_STRIDE)
        self._boxes: dict[int, tuple[Box, ...]] = {}

    def boxes(self, frame: int) -> tuple[Box, ...]:
        if frame not in self._boxes:
            self._boxes[frame] = draw(self.play.setting_at(frame / FRAMES_PER_SECOND)).boxes
        return self._boxes[frame]

    def frames_within(self, span: tuple[float, float]) -> list[int]:
        return [frame for frame in self.frames if span[0] <= frame / FRAMES_PER_SECOND <= span[1]]

    def show(self, draft: Draft) -> bool:
        """Whether at least half of the span's frames, and at least one, show everything that the question is about.

        A question that needs dialogue alone can be asked whether or not the speaker is in the shot.
        """
        frames = self.frames_within(draft.span)
        if draft.needs == "dialogue":
            return bool(frames)
        complete = [f for f in frames if set(draft.required) <= {box.label for box in self.boxes(f)}]
        return len(complete) >= max(1, len(frames) / 2)


def _question(rng: Random, qid: int, clip: str, draft: Draft, visible: VisibleBoxes) -> Question:
    answers = [draft.right, *draft.wrong]
    assert len(set(answers)) == CANDIDATES, answers
    rng.shuffle(answers)
    words = f"{draft.text} {draft.right}".split()
    spelled = {word.lower(): word for word in reversed(words)}
    boxes = {
        frame: tuple(
            Box(*box.corners, label=spelled[box.label])
            for box in visible.boxes(frame)
            if box.label in spelled
        )
        for frame in visible.frames_within(draft.span)
    }
    span = (round(draft.span[0], 2), round(draft.span[1], 2))
    return Question(qid, clip, draft.text, tuple(answers), answers.index(draft.right), span, boxes)


def _check_folder(out: Path, described: Path, settings: Mapping[str, object]) -> None:
    """Raises InputError if a folder contains episodes of other settings, or another data set.

    The number of episodes may differ.
    """
    if not described.exists():
        if any((out / name).exists() for name in ("questions.json", "subtitles.json", "frames.json")):
            raise InputError(
                f"{out}: contains questions or subtitles of another data set; write to another folder"
            )
        return
    before = read_json(described)
    if not isinstance(before, dict) or {**before, **settings, "episodes": before.get("episodes")} != before:
        raise InputError(f"{out}: contains other episodes ({json.dumps(before)}); write to another folder")


def description(split: str, seed: int, questions: int, episodes: int) -> dict[str, object]:
    """The settings that a folder was generated with, as written to sitcom.json."""
    return {
        "split": split, "seed": seed, "version": VERSION, "questions": questions, "episodes": episodes,
    }  # fmt: skip


def write_sitcom(
    out: Path,
    split: str,
    episodes: int,
    seed: int = SEED,
    workers: int = 1,
    questions: int = QUESTIONS_PER_EPISODE,
    progress: Progress | None = None,
) -> None:
    """Write episodes to the folder `out`. Complete ones are kept: a killed run, done again, gives the same files.

    out/episodes: films (.mp4) and subtitles (.srt); out/truth: the truth of each episode; questions.json,
    subtitles.json and frames.json: the truth of all of them in TVQA+'s layout; sitcom.json: the settings.
    questions: their maximum number per episode; progress: called after each episode. Raises InputError if `out`
    contains episodes of other settings or another data set, is being written by another process, or can't be
    written to.
    """
    with locked(out, "the drawing of episodes"):
        described, settings = out / "sitcom.json", description(split, seed, questions, episodes)
        _check_folder(out, described, settings)
        for folder in ("episodes", "truth"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        write_json(described, settings)
        _write_episodes(out, split, seed, episodes, workers, questions, progress)
        for written in (out, out / "episodes", out / "truth"):  # workers of a killed run may have outlived it
            remove_leftovers(written)


def _write_episodes(
    out: Path, split: str, seed: int, episodes: int, workers: int, questions: int, progress: Progress | None
) -> None:
    names = [episode_name(split, seed, i) for i in range(episodes)]
    missing = [i for i, name in enumerate(names) if not all(path.exists() for path in _files(out, name))]
    with WorkerPool(workers) as pool:
        drawn = {pool.submit(write_episode, out, split, seed, i, questions): names[i] for i in missing}
        for done, episode in enumerate(as_completed(drawn), episodes - len(missing) + 1):
            episode.result()
            if progress:
                progress(done, episodes, drawn[episode])
    truths = [_read_truth(out, name) for name in names]
    write_json(out / "questions.json", [q for truth in truths for q in truth["questions"]])
    write_json(out / "subtitles.json", {truth["name"]: truth["subtitles"] for truth in truths})
    write_json(out / "frames.json", {truth["name"]: truth["frame_count"] for truth in truths})


def _files(out: Path, name: str) -> tuple[Path, Path, Path]:
    """Film, subtitles and truth of an episode."""
    return out / "episodes" / f"{name}.mp4", out / "episodes" / f"{name}.srt", out / "truth" / f"{name}.json"


def _read_truth(out: Path, name: str) -> dict[str, Any]:
    path = _files(out, name)[-1]
    truth = read_json(path)
    if (
        not isinstance(truth, dict)
        or not truth.keys() >= {"questions", "subtitles", "frame_count"}
        or not isinstance(truth["questions"], list)
        or truth.get("name") != name
    ):
        raise InputError(
            f"{path}: is not the truth of this episode; remove it, and the episode is drawn again"
        )
    return truth


def write_episode(out: Path, split: str, seed: int, index: int, questions: int) -> None:
    """Write one episode: film and subtitles, and last its truth, which marks it as complete."""
    episode = make_episode(split, seed, index, questions)
    write_film(out / "episodes" / f"{episode.name}.mp4", episode.play)
    write_text(out / "episodes" / f"{episode.name}.srt", srt(episode.play.sentences))
    write_json(out / "truth" / f"{episode.name}.json", truth_of(episode))


def write_film(path: Path, play: Screenplay) -> None:
    """H.264 in .mp4 with 6 video frames per second: frame n, counted from 0, shows second n / 6."""
    with writing_file(path) as partial, av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=VIDEO_FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = dict(ENCODING)
        for i, image in enumerate(video_frames(play)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, VIDEO_FRAMES_PER_SECOND)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def video_frame_count(play: Screenplay) -> int:
    """Number of frames of an episode's film."""
    return int(play.duration * VIDEO_FRAMES_PER_SECOND) + 1


def video_frames(play: Screenplay) -> Iterator[Image]:
    """Every frame of an episode's film, (H, W, 3) RGB. Where nothing moves the last one is reused."""
    last: tuple[Setting, Image] | None = None
    for i in range(video_frame_count(play)):
        setting = play.setting_at(i / VIDEO_FRAMES_PER_SECOND)
        if last is None or last[0] != setting:
            last = (setting, draw(setting).image)
        yield last[1]


def srt(sentences: tuple[Sentence, ...]) -> str:
    """Subtitles in SubRip's format."""
    file = pysubs2.SSAFile()
    file.events = [pysubs2.SSAEvent(round(s.start * 1000), round(s.end * 1000), s.text) for s in sentences]
    # The blank line that pysubs2 writes after each cue is left out after the last one, as in the published episodes.
    return str(file.to_string("srt")).removesuffix("\n")


def truth_of(episode: Episode) -> dict[str, Any]:
    """An episode's truth, as written to its truth file."""
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
