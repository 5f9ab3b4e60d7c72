"""What zero-shot answers are tried with: an encoder and detectors whose vectors and boxes are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import numpy as np

from stage.types import Array, Clip, Image, Question, Regions, Sentence
from stage.zero_shot.colours import DIM
from stage.zero_shot.lexicon import TEMPLATE, Lexicon
from stage.zero_shot.matching import Matcher
from stage.zero_shot.view import View

SIZE = 64
"""Numbers of a text's vector."""
IGNORED = {"a", "of", "photo", "the", "is", "what", "who", ".", "?", "in", "on"} | set(TEMPLATE.split())


class Axes:
    """A sentence encoder: the sum of the vectors of a text's words, each along an axis of its own.

    alike: word -> another word and the cosine of the two.
    """

    def __init__(self, alike: Mapping[str, tuple[str, float]] | None = None) -> None:
        self._alike = alike or {}
        self._axes: dict[str, int] = {}

    def sentences(self, texts: Sequence[str]) -> Array:
        return np.stack([self._unit(text) for text in texts])

    def _unit(self, text: str) -> Array:
        words = [word for word in text.lower().split() if word not in IGNORED]
        vector = sum((self._vector(word) for word in words), np.zeros(SIZE, np.float32))
        length = float(np.linalg.norm(vector))
        return np.asarray(vector / length if length else vector, np.float32)

    def _vector(self, word: str) -> Array:
        vector = np.zeros(SIZE, np.float32)
        if word in self._alike:
            other, cosine = self._alike[word]
            vector[self._axis(other)] = cosine
            vector[self._axis(word)] = np.sqrt(1 - cosine**2)
        else:
            vector[self._axis(word)] = 1
        return vector

    def _axis(self, word: str) -> int:
        return self._axes.setdefault(word, len(self._axes))


def regions(
    *found: tuple[str, float, tuple[float, float, float, float]], colours: Array | None = None
) -> Regions:
    """Regions as (label, score, corners). colours: (N, DIM)."""
    boxes = np.array([corners for _, _, corners in found], np.float32).reshape(-1, 4)
    vectors = np.zeros((len(found), DIM), np.float32) if colours is None else colours
    scores = np.array([score for _, score, _ in found], np.float32)
    return Regions(boxes, scores, vectors, tuple(label for label, _, _ in found))


def view(
    *seen: Regions,
    cuts: tuple[float, ...] | None = None,
    sentences: tuple[Sentence, ...] = (),
    frame_colours: Array | None = None,
) -> View:
    """A film with one frame every two seconds, from 1/3 s on, each with what is seen in it."""
    frames = tuple(range(1, 6 * len(seen), 6))
    clip = Clip("film", 6 * len(seen), 100, 100, sentences)
    return View(clip, frames, seen, cuts, frame_colours)


def matcher(seen: View, alike: Mapping[str, tuple[str, float]] | None = None) -> Matcher:
    return Matcher(seen, Lexicon(Axes(alike)), 0.6)


def question(text: str, *answers: str) -> Question:
    return Question(0, "film", text, answers)


class Painted:
    """A detector that finds rectangles of one colour: red ones are cars, blue ones persons."""

    name = "painted"
    dim = 1
    LABELS = (("car", (255, 0, 0)), ("person", (0, 0, 255)))

    def __init__(self) -> None:
        self.images = 0

    def detect(self, images: Sequence[Image]) -> list[Regions]:
        self.images += len(images)
        return [self._of(image) for image in images]

    def _of(self, image: Image) -> Regions:
        found = []
        for label, colour in self.LABELS:
            near = (np.abs(image.astype(int) - colour) < 90).all(-1)
            if near.sum() > 50:
                rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
                corners = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
                found.append((label, 0.9, corners))
        made = regions(*found)
        return Regions(made.boxes, made.scores, np.zeros((len(made), 1), np.float32), made.labels)


def painted_film(path: Path, *shots: tuple[int, Image]) -> Path:
    """A film at 6 images a second of still shots, each (seconds, image)."""
    height, width = shots[0][1].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=6, options={"qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for seconds, image in shots:
            for _ in range(6 * seconds):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def picture(background: tuple[int, int, int], colour: tuple[int, int, int] | None = None) -> Image:
    """An image of 160 x 96 pixels, with a rectangle from (40, 24) to (80, 72) if it has a colour."""
    image = np.full((96, 160, 3), background, np.uint8)
    if colour:
        image[24:72, 40:80] = colour
    return image
