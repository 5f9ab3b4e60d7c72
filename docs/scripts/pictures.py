"""Draw the images of the documentation, as a browser (Chromium) shows them.

python docs/scripts/pictures.py                  from what `stage demo demo` wrote
python docs/scripts/pictures.py FILM DETECTOR    from Tears of Steel (the clip and detector are not in the repository)

docs/images/episode.png: frames of an episode. evidence.png and limits.png: the evidence for the best grounded answer,
and for a wrong answer of the test split. film.png: an answer about a real film, as notebooks show it. The browser is
`chromium`, or what STAGE_BROWSER names.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

import stage
from stage.annotation.questions import question_from_json, read_questions
from stage.geometry import span_overlap
from stage.inference.answerer import Answerer, OpenFilm
from stage.io import read_json
from stage.media.video import open_video
from stage.sitcom.benchmark.splits import SEED, SPLITS
from stage.sitcom.episodes import write_episode
from stage.types import Evidence, Image

DEMO, IMAGES = Path("demo"), Path(__file__).parents[1] / "images"
COLUMNS, ROWS, TILE, GAP = 4, 3, (344, 194), 6
WIDTH, HEIGHT, MARGIN = 1100, 2000, 40
"""Of the browser's window, and around the part that is kept; in pixels."""
FILM_WIDTH = 900
"""Of the window for an answer as notebooks show it."""

WRONG = (13, "Who is holding the trophy after Mia talks about the museum ?")
"""An episode of the test split, and a question about it that the model sitcom answers wrongly (docs/limits.md)."""
ABOUT_FILM = (
    "What color is the jacket of the young man beside the robot arm?",
    ("Red", "Green", "White", "Black", "Blue"),
)
"""The question of README.md about Tears of Steel, and its candidate answers."""


def main() -> None:
    if sys.argv[1:]:
        film, detector = sys.argv[1:]
        save(IMAGES / "film.png", answer_about(film, detector))
        return
    questions = read_questions(DEMO / "questions.json")
    films = {clip: DEMO / "episodes" / f"{clip}.mp4" for clip in dict.fromkeys(q.clip for q in questions)}
    save(IMAGES / "episode.png", contact_sheet(distinct_frames(list(films.values())[-1])))
    answerer = Answerer.from_pretrained("sitcom")
    opened = {clip: answerer.open(film, film.with_suffix(".srt")) for clip, film in films.items()}
    evidence = max((opened[q.clip].ask_question(q) for q in questions), key=worth)
    save(IMAGES / "evidence.png", page_of(evidence, opened[evidence.clip.name]))
    with tempfile.TemporaryDirectory() as folder:
        save(IMAGES / "limits.png", wrong_answer(answerer, Path(folder)))


def wrong_answer(answerer: Answerer, folder: Path) -> Image:
    index, text = WRONG
    for name in ("episodes", "truth"):
        (folder / name).mkdir()
    write_episode(folder, "test", SEED, index, SPLITS["test"].questions)
    (truth,) = (folder / "truth").glob("*.json")
    asked = [question_from_json(entry) for entry in read_json(truth)["questions"]]
    film = folder / "episodes" / f"{truth.stem}.mp4"
    opened = answerer.open(film, film.with_suffix(".srt"), cache=folder)
    return page_of(opened.ask_question(next(q for q in asked if q.text == text)), opened)


def answer_about(path: str, detector: str) -> Image:
    """The zero-shot answer about a film, as notebooks show it."""
    question, answers = ABOUT_FILM
    shown = stage.open(path, model="zero-shot", detector=detector).ask(question, answers)._repr_html_()
    return trimmed(screenshot(f"<body style='margin: {MARGIN}px; background: white'>{shown}", FILM_WIDTH), 8)


def page_of(evidence: Evidence, film: OpenFilm) -> Image:
    """The evidence page without its heading."""
    html = stage.render([(evidence, film.pictures(stage.frames_to_show(evidence)))], "Evidence")
    return trimmed(screenshot(re.sub("<header class=.page.*?</header>", "", html, flags=re.S)))


def screenshot(html: str, width: int = WIDTH) -> Image:
    browser = os.environ.get("STAGE_BROWSER", "chromium")
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder) / "page.html", Path(folder) / "shot.png"
        stage.write_page(page, html)
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        options += ["--disable-background-networking", f"--user-data-dir={folder}", f"--screenshot={shot}"]
        command = [browser, *options, f"--window-size={width},{HEIGHT}", page.as_uri()]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return cv2.cvtColor(cv2.imread(str(shot)), cv2.COLOR_BGR2RGB)


def worth(evidence: Evidence) -> tuple[bool, float]:
    """Right answers first; then by the IoU of the span and the scores of the boxes."""
    question, prediction = evidence.question, evidence.prediction
    start, end = prediction.span
    best: dict[str, float] = {}
    for words in (w for m in evidence.moments if start <= m.time < end for w in m.grounding):
        best[words.word] = max(best.get(words.word, 0.0), words.boxes[0].score)
    span = span_overlap(prediction.span, question.span) if question.span else 0.0
    return prediction.answer_index == question.answer_index, span + sum(best.values())


def distinct_frames(film: Path) -> list[Image]:
    """The frames that differ most from each other, in time order."""
    video = open_video(film)
    frames = [image for _, image in video.frames(range(1, video.frame_count + 1), longest_side=TILE[0])]
    small = np.array(
        [cv2.resize(f, (32, 18), interpolation=cv2.INTER_AREA).ravel() for f in frames], np.float32
    )
    chosen = [0]
    distance = np.full(len(frames), np.inf)
    while len(chosen) < min(COLUMNS * ROWS, len(frames)):
        distance = np.minimum(distance, np.abs(small - small[chosen[-1]]).mean(1))
        chosen.append(int(distance.argmax()))
    return [frames[i] for i in sorted(chosen)]


def contact_sheet(frames: list[Image]) -> Image:
    width, height = TILE
    sheet = np.full((ROWS * (height + GAP) - GAP, COLUMNS * (width + GAP) - GAP, 3), 255, np.uint8)
    for i, frame in enumerate(frames):
        top, left = i // COLUMNS * (height + GAP), i % COLUMNS * (width + GAP)
        sheet[top : top + height, left : left + width] = cv2.resize(frame, TILE)
    return sheet


def trimmed(image: Image, margin: int = MARGIN) -> Image:
    """Without the empty rows above and below, except a margin."""
    full = np.flatnonzero((image != image[0, 0]).any((1, 2)))
    return image[full[0] - margin : full[-1] + margin]


def save(path: Path, image: Image) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{path}: {path.stat().st_size // 1000} KB")


if __name__ == "__main__":
    main()
