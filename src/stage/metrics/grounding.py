"""Mean average precision of boxes: PASCAL VOC's (all points, IoU 0.5), a class for each word.

An image is one frame of one question. What counts as a detection are the boxes of the *correct* hypothesis, for
words that are annotated in that frame for that question.

Detections with equal scores are in the order of numpy's argsort, as in the release's scorer. That order isn't stable
and depends on the processor: where numpy has no AVX-512, the AP of a word with many equal scores can differ in the
third decimal from the one with it, and the mean over hundreds of words in the sixth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stage.annotation.predictions import PredictedBoxes
from stage.annotation.vocabulary import fold
from stage.types import Question

Integers = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

TRUE_POSITIVE_IOU = 0.5


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well the boxes of one word are found."""

    ap: float
    n_positives: int
    """True boxes."""
    n_tp: int
    n_fp: int


@dataclass(frozen=True, slots=True)
class _Truth:
    """True boxes whose label is in the vocabulary, in the annotation's order."""

    question: Integers
    """(M,) index of the question"""
    frame: Integers
    """(M,) numbered frames"""
    image: Integers
    """(M,) images counted in the annotation's order"""
    word: Integers
    """(M,) numbers of the vocabulary"""
    corners: Singles
    """(M, 4)"""
    names: dict[int, str]
    """Number of the vocabulary -> label"""


@dataclass(frozen=True, slots=True)
class _Places:
    """A place is a word in an image: where the boxes of a prediction and the true ones meet."""

    key: Integers
    """(P,) rising, image by image"""
    word: Integers
    """(P,) numbers of the vocabulary"""
    first: Integers
    """(P,) row of the first true box, true boxes sorted by place"""
    count: Integers
    """(P,) true boxes"""


@dataclass(frozen=True, slots=True)
class _Detections:
    """Boxes that count, sorted by place and, within it, by falling score."""

    place: Integers
    """(D,)"""
    score: Singles
    """(D,)"""
    corners: Singles
    """(D, 4)"""


def grounding_scores(
    boxes: PredictedBoxes, questions: Sequence[Question], vocabulary: Mapping[str, int]
) -> dict[str, ClassScore]:
    """Word -> score, for each word that has a true box. Labels outside the vocabulary are left out."""
    truth = _true_boxes(questions, vocabulary)
    if not len(truth.word):
        return {}
    order, places = _places(truth)
    detections = _detections(boxes, questions, truth, places)
    hit = _true_positives(detections, places, truth.corners[order])
    return _class_scores(detections, hit, places, truth.names)


def average_precision(hit: Mask, positives: int) -> float:
    """Area below the precision-recall curve made monotone, over all points.

    hit: (D,) whether each detection, best first, is a true positive; positives: true boxes.
    """
    found = np.cumsum(hit)
    precision = found / np.arange(1, len(hit) + 1)
    best_from_here_on = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best_from_here_on[hit].sum() / positives)


def voc_iou(a: Singles, b: Singles) -> Singles:
    """IoU of boxes (N, 4) with boxes (N, 4), row by row, as VOC's devkit counts pixels.

    Corners are taken for whole pixels that belong to the box: one is added to right and bottom, and widths count
    both ends once more. A box turned inside out overlaps nothing.
    """
    areas = (a[:, 2] - a[:, 0] + 2) * (a[:, 3] - a[:, 1] + 2) + (b[:, 2] - b[:, 0] + 2) * (
        b[:, 3] - b[:, 1] + 2
    )
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]) + 2
    intersection = sides.clip(min=0).prod(axis=1)
    union = areas - intersection
    ratio: Singles = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return ratio


def _true_boxes(questions: Sequence[Question], vocabulary: Mapping[str, int]) -> _Truth:
    rows: list[tuple[int, int, int, int]] = []
    corners = []
    numbers: dict[str, int | None] = {}
    images = 0
    for index, question in enumerate(questions):
        for frame, annotated in question.boxes.items() if question.answer_index is not None else ():
            for box in annotated:
                if box.label not in numbers:
                    numbers[box.label] = vocabulary.get(fold(box.label))
                if (number := numbers[box.label]) is not None:
                    rows.append((index, frame, images, number))
                    corners.append(box.corners)
            images += 1
    table = np.array(rows, np.int64).reshape(-1, 4)
    names = {number: fold(label) for label, number in numbers.items() if number is not None}
    question_of, frame_of, image_of, word_of = table.T
    true_corners = np.array(corners, np.float32).reshape(-1, 4)
    return _Truth(question_of, frame_of, image_of, word_of, true_corners, names)


def _places(truth: _Truth) -> tuple[Integers, _Places]:
    """The order that sorts true boxes by place, and the places."""
    order = np.lexsort((truth.word, truth.image))
    words = int(truth.word.max()) + 1
    key, first, count = np.unique(
        truth.image[order] * words + truth.word[order], return_index=True, return_counts=True
    )
    return order, _Places(key, key % words, first, count)


def _detections(
    boxes: PredictedBoxes, questions: Sequence[Question], truth: _Truth, places: _Places
) -> _Detections:
    place = _place_of(boxes, questions, truth, places)
    counted = np.flatnonzero(place >= 0)
    counted = counted[np.argsort(place[counted], kind="stable")]
    place, score = place[counted], boxes.score[counted].astype(np.float32)
    falling = _falling_within(place, score)
    corners = boxes.corners[counted][falling].astype(np.float32)
    return _Detections(place, score[falling], corners)


def _place_of(
    boxes: PredictedBoxes, questions: Sequence[Question], truth: _Truth, places: _Places
) -> Integers:
    """For each predicted box the place where it counts, or -1. (B,)"""
    words, frames = int(truth.word.max()) + 1, int(truth.frame.max()) + 1
    image_key, at = np.unique(truth.question * frames + truth.frame, return_index=True)
    image_of_key = truth.image[at]

    qids = np.array([q.qid for q in questions])
    by_qid = np.argsort(qids)
    question = by_qid[np.searchsorted(qids[by_qid], boxes.qid)]
    correct = np.array([-1 if q.answer_index is None else q.answer_index for q in questions])
    inside = (boxes.frame >= 0) & (boxes.frame < frames) & (boxes.word >= 0) & (boxes.word < words)
    inside &= boxes.hypothesis == correct[question]

    image, seen = _look_up(np.where(inside, question * frames + boxes.frame, -1), image_key)
    key = np.where(seen, image_of_key[image] * words + boxes.word, -1)
    place, annotated = _look_up(key, places.key)
    return np.where(annotated, place, -1)


def _look_up(keys: Integers, known: Integers) -> tuple[Integers, Mask]:
    """Where each key is in the rising `known`, and whether it is there at all."""
    at = np.searchsorted(known, keys).clip(max=len(known) - 1)
    return at, known[at] == keys


def _falling_within(place: Integers, score: Singles) -> Integers:
    """The order by falling score within each place; `place` rises.

    Equal scores are in the order of numpy's argsort on the scores of that place alone, as in the release.
    """
    order = np.arange(len(place))
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    ends = np.append(starts, len(place))[1:]
    for first, end in zip(starts, ends, strict=True):
        if end - first > 1:
            order[first:end] = first + score[first:end].argsort()[::-1]
    return order


def _true_positives(detections: _Detections, places: _Places, true_corners: Singles) -> Mask:
    """Whether each detection is the first one on the true box that it overlaps most. (D,)

    true_corners: (M, 4) sorted by place.
    """
    hit = np.zeros(len(detections.place), bool)
    if not len(hit):
        return hit
    count = places.count[detections.place]
    pair_start = np.cumsum(count) - count
    detection = np.repeat(np.arange(len(count)), count)
    true = np.arange(count.sum()) - np.repeat(pair_start - places.first[detections.place], count)
    iou = voc_iou(detections.corners[detection], true_corners[true])
    best = np.maximum.reduceat(iou, pair_start)
    overlapping = np.flatnonzero(best >= TRUE_POSITIVE_IOU)
    at_best = np.flatnonzero(iou == best[detection])
    first_best = at_best[np.unique(detection[at_best], return_index=True)[1]]
    _, first = np.unique(true[first_best[overlapping]], return_index=True)
    hit[overlapping[first]] = True
    return hit


def _class_scores(
    detections: _Detections, hit: Mask, places: _Places, names: dict[int, str]
) -> dict[str, ClassScore]:
    words, of_place = np.unique(places.word, return_inverse=True)
    positives = np.bincount(of_place, weights=places.count).astype(np.int64)
    of_detection = of_place[detections.place]
    by_class = np.argsort(of_detection, kind="stable")
    ends = np.cumsum(np.bincount(of_detection, minlength=len(words)))
    scores = {}
    for word, total, rows in zip(words, positives, np.split(by_class, ends[:-1]), strict=True):
        best_first = rows[detections.score[rows].argsort()[::-1]]
        true = int(hit[rows].sum())
        ap = average_precision(hit[best_first], int(total))
        scores[names[int(word)]] = ClassScore(ap, int(total), true, len(rows) - true)
    return dict(sorted(scores.items()))
