"""Grounding mAP: PASCAL VOC's average precision (IoU 0.5), a class per word.

An image is one frame of one question. Detections are the predicted boxes of the *right* hypothesis, for words that
are annotated in that frame for that question. The area under the precision-recall curve is taken over all points.

Detections are sorted by score twice, as in the release's scorer: within an image, to be matched with true boxes, and
over all images, taken in the annotation's order, to be ranked. Both times a stable ascending sort is reversed, so a
file has the same score everywhere. The release reverses numpy's default sort, which leaves the order of equal scores
to the version of numpy and to the processor: there the AP of a word with equal scores differs between machines, and
from that computed here (docs/how-to/score.md, "Equal scores").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stage.annotation.predictions import PredictedBoxes
from stage.annotation.vocabulary import normalise_word
from stage.geometry import Singles, voc_iou
from stage.types import Question

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

TRUE_POSITIVE_IOU = 0.5


@dataclass(frozen=True, slots=True)
class ClassScore:
    """The detection scores of one word."""

    ap: float
    """Average precision in [0, 1]."""
    n_positives: int
    """True boxes."""
    n_tp: int
    """True positives."""
    n_fp: int
    """False positives."""


@dataclass(frozen=True, slots=True)
class RankedDetections:
    """The detections of one word in all images, best first."""

    score: Singles
    """(D,) descending"""
    hit: Mask
    """(D,) whether each is a true positive"""
    n_positives: int
    """True boxes."""


@dataclass(frozen=True, slots=True)
class _Truth:
    """True boxes whose label is in the vocabulary, in the annotation's order."""

    question: Integers
    """(M,) index of the question"""
    frame: Integers
    """(M,) numbered frames"""
    image: Integers
    """(M,) index of the image, in the annotation's order"""
    word: Integers
    """(M,) word indices of the vocabulary"""
    corners: Singles
    """(M, 4)"""
    names: dict[int, str]
    """Word index -> label"""


@dataclass(frozen=True, slots=True)
class _Groups:
    """A group is one word in one image: its predicted boxes are matched with its true ones."""

    key: Integers
    """(G,) ascending, image by image"""
    word: Integers
    """(G,) word indices of the vocabulary"""
    first: Integers
    """(G,) row of the first true box, with true boxes sorted by group"""
    count: Integers
    """(G,) number of true boxes"""


@dataclass(frozen=True, slots=True)
class _Detections:
    """Predicted boxes of a group, sorted by group and, within it, by descending score."""

    group: Integers
    """(D,) index of the group"""
    score: Singles
    """(D,)"""
    corners: Singles
    """(D, 4)"""


def grounding_scores(
    boxes: PredictedBoxes, questions: Sequence[Question], vocabulary: Mapping[str, int]
) -> dict[str, ClassScore]:
    """Word -> scores, for each word with a true box. vocabulary: word -> index; other labels are ignored."""
    scores = {}
    for word, ranked in ranked_detections(boxes, questions, vocabulary).items():
        ap, true = average_precision(ranked.hit, ranked.n_positives), int(ranked.hit.sum())
        scores[word] = ClassScore(ap, ranked.n_positives, true, len(ranked.hit) - true)
    return scores


def ranked_detections(
    boxes: PredictedBoxes, questions: Sequence[Question], vocabulary: Mapping[str, int]
) -> dict[str, RankedDetections]:
    """Word -> its detections, for each word with a true box, in the order of the words."""
    truth = _true_boxes(questions, vocabulary)
    if not len(truth.word):
        return {}
    order, groups = _groups_of(truth)
    detections = _detections(boxes, questions, truth, groups)
    hit = _true_positives(detections, groups, truth.corners[order])
    return _by_class(detections, hit, groups, truth.names)


def same_word_pairs(
    boxes: PredictedBoxes, questions: Sequence[Question], vocabulary: Mapping[str, int]
) -> tuple[Singles, Singles]:
    """Each predicted box of a right hypothesis with each true box of the same word and frame: (P, 4) and (P, 4)."""
    truth = _true_boxes(questions, vocabulary)
    if not len(truth.word):
        return np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32)
    order, groups = _groups_of(truth)
    group = _group_of(boxes, questions, truth, groups)
    matched = np.flatnonzero(group >= 0)
    detection, true, _ = _pairs(group[matched], groups)
    predicted: Singles = boxes.corners[matched][detection].astype(np.float32)
    return predicted, truth.corners[order][true]


def average_precision(hit: Mask, positives: int) -> float:
    """The area under the monotone precision-recall curve, over all points (PASCAL VOC since 2010).

    hit: (D,) whether each detection, best first, is a true positive; positives: number of true boxes.
    """
    true_positives = np.cumsum(hit)
    precision = true_positives / np.arange(1, len(hit) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[hit].sum() / positives)


def _true_boxes(questions: Sequence[Question], vocabulary: Mapping[str, int]) -> _Truth:
    rows: list[tuple[int, int, int, int]] = []
    corners = []
    numbers: dict[str, int | None] = {}
    images = 0
    for index, question in enumerate(questions):
        for frame, annotated in question.boxes.items() if question.answer_index is not None else ():
            for box in annotated:
                if box.label not in numbers:
                    numbers[box.label] = vocabulary.get(normalise_word(box.label))
                if (number := numbers[box.label]) is not None:
                    rows.append((index, frame, images, number))
                    corners.append(box.corners)
            images += 1
    table = np.array(rows, np.int64).reshape(-1, 4)
    names = {number: normalise_word(label) for label, number in numbers.items() if number is not None}
    question_of, frame_of, image_of, word_of = table.T
    true_corners = np.array(corners, np.float32).reshape(-1, 4)
    return _Truth(question_of, frame_of, image_of, word_of, true_corners, names)


def _groups_of(truth: _Truth) -> tuple[Integers, _Groups]:
    """The order that sorts true boxes by group, (M,), and the groups."""
    order = np.lexsort((truth.word, truth.image))
    words = int(truth.word.max()) + 1
    key, first, count = np.unique(
        truth.image[order] * words + truth.word[order], return_index=True, return_counts=True
    )
    return order, _Groups(key, key % words, first, count)


def _detections(
    boxes: PredictedBoxes, questions: Sequence[Question], truth: _Truth, groups: _Groups
) -> _Detections:
    group = _group_of(boxes, questions, truth, groups)
    counted = np.flatnonzero(group >= 0)
    counted = counted[np.argsort(group[counted], kind="stable")]
    group, score = group[counted], boxes.score[counted].astype(np.float32)
    descending = _descending_within(group, score)
    corners = boxes.corners[counted][descending].astype(np.float32)
    return _Detections(group, score[descending], corners)


def _group_of(
    boxes: PredictedBoxes, questions: Sequence[Question], truth: _Truth, groups: _Groups
) -> Integers:
    """The index of each predicted box's group, or -1 if it has none. (B,)"""
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
    group, annotated = _look_up(key, groups.key)
    return np.where(annotated, group, -1)


def _look_up(keys: Integers, known: Integers) -> tuple[Integers, Mask]:
    """The position of each key in `known`, which is ascending, and whether it is there at all."""
    at = np.searchsorted(known, keys).clip(max=len(known) - 1)
    return at, known[at] == keys


def _descending_within(group: Integers, score: Singles) -> Integers:
    """The order by descending score within each group, which is ascending; of equal scores the last is first."""
    return np.lexsort((-np.arange(len(group)), -score, group))


def _descending(score: Singles) -> Integers:
    """The order by descending score; of equal scores the last is first."""
    return score.argsort(kind="stable")[::-1]


def _pairs(group: Integers, groups: _Groups) -> tuple[Integers, Integers, Integers]:
    """Detections of these groups (D,) with the true boxes of their group, (P,) each; the first pair of each (D,)."""
    count = groups.count[group]
    pair_start = np.cumsum(count) - count
    detection = np.repeat(np.arange(len(count)), count)
    true = np.arange(count.sum()) - np.repeat(pair_start - groups.first[group], count)
    return detection, true, pair_start


def _true_positives(detections: _Detections, groups: _Groups, true_corners: Singles) -> Mask:
    """Whether each detection is the best-scored one whose largest IoU is with the same true box. (D,)

    true_corners: (M, 4) sorted by group.
    """
    hit = np.zeros(len(detections.group), bool)
    if not len(hit):
        return hit
    detection, true, pair_start = _pairs(detections.group, groups)
    iou = voc_iou(detections.corners[detection], true_corners[true])
    best = np.maximum.reduceat(iou, pair_start)
    overlapping = np.flatnonzero(best >= TRUE_POSITIVE_IOU)
    at_best = np.flatnonzero(iou == best[detection])
    first_best = at_best[np.unique(detection[at_best], return_index=True)[1]]
    _, first = np.unique(true[first_best[overlapping]], return_index=True)
    hit[overlapping[first]] = True
    return hit


def _by_class(
    detections: _Detections, hit: Mask, groups: _Groups, names: dict[int, str]
) -> dict[str, RankedDetections]:
    words, class_of_group = np.unique(groups.word, return_inverse=True)
    positives = np.bincount(class_of_group, weights=groups.count).astype(np.int64)
    of_detection = class_of_group[detections.group]
    by_class = np.argsort(of_detection, kind="stable")
    ends = np.cumsum(np.bincount(of_detection, minlength=len(words)))
    ranked = {}
    for word, total, rows in zip(words, positives, np.split(by_class, ends[:-1]), strict=True):
        best_first = rows[_descending(detections.score[rows])]
        ranked[names[int(word)]] = RankedDetections(detections.score[best_first], hit[best_first], int(total))
    return dict(sorted(ranked.items()))
