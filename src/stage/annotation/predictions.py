"""Prediction files in the format of the leaderboard and the release's scorer.

ts_answer   {"QID": [[start, end], answer index]}: the predicted answer and its span in seconds
raw_bbox    [per question {"0".."4": [{pred, bbox, word, qid, vid_name, img_idx}]}]: for each hypothesis,
            annotated frame and word, the scores in ascending order and their boxes (left, top, right, bottom)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stage.annotation.vocabulary import normalise_word
from stage.errors import InputError
from stage.io import OutputKind, read_json, starts_with, to_json, write_text
from stage.types import MAX_SECONDS, Box, Prediction, WordBoxes
from stage.wording import counted, quoted

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MAX_VALUE = 1e6
"""Scores and pixels of this size or larger, including infinity, are errors."""


PREDICTION_FILE = OutputKind(
    "a prediction file", lambda path: starts_with(path, r'\s*\{\s*"(ts_answer|raw_bbox)"\s*:')
)


@dataclass(frozen=True, slots=True)
class PredictedBoxes:
    """The predicted boxes of many questions as columns, one row per box."""

    qid: Integers
    """(B,)"""
    hypothesis: Integers
    """(B,) index of the candidate answer that the box belongs to"""
    frame: Integers
    """(B,) numbered frames"""
    word: Integers
    """(B,) word ids of the vocabulary"""
    score: Floats
    """(B,)"""
    corners: Floats
    """(B, 4): left, top, right, bottom in pixels"""

    def __len__(self) -> int:
        return len(self.qid)


@dataclass(frozen=True, slots=True)
class PredictionTable:
    """The predictions of many questions as columns: the input of scoring."""

    source: str
    """The file that they were read from, for messages."""
    qid: Integers
    """(N,)"""
    answer: Integers
    """(N,) index of the predicted answer"""
    span: Floats
    """(N, 2) start and end in seconds of the predicted answer"""
    boxes: PredictedBoxes | None
    """None if nothing was grounded, as by a model that reads only subtitles."""


class _Entry(NamedTuple):
    """The boxes of one word in one frame, with ascending scores."""

    qid: int
    hypothesis: int
    frame: int
    word: int
    scores: list[float]
    corners: list[list[float]]


def write_predictions(path: Path, predictions: Iterable[Prediction], vocabulary: Mapping[str, int]) -> None:
    """Write predictions (.json or .json.gz) as they are made, sorted by qid.

    vocabulary: word -> id. Words are written as ids, so boxes of words outside the vocabulary are omitted.
    """
    spans, boxes = {}, {}
    for prediction in predictions:
        spans[prediction.qid] = [list(prediction.span), prediction.answer_index]
        # As text, a question's boxes take a fraction of the memory that objects take.
        boxes[prediction.qid] = to_json(_raw_boxes(prediction, vocabulary))
    order = sorted(spans)
    answers, raw = to_json({str(qid): spans[qid] for qid in order}), ",".join(boxes[qid] for qid in order)
    write_text(path, f'{{"ts_answer":{answers},"raw_bbox":[{raw}]}}')


def read_predictions(path: str | Path) -> PredictionTable:
    """Read a prediction file. Raises InputError naming the file and the question."""
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("ts_answer"), dict):
        raise InputError(
            f"{path}: is not a prediction file, which is a JSON object with ts_answer and raw_bbox"
        )
    qid, answer, span = _read_answers(content["ts_answer"], path)
    entries = _read_entries(content.get("raw_bbox") or [], path)
    boxes = _columns(entries, str(path)) if entries else None
    if boxes is not None and (unknown := np.setdiff1d(boxes.qid, qid)).size:
        raise InputError(f"{path}: raw_bbox has boxes of question {unknown[0]}, which ts_answer lacks")
    return PredictionTable(str(path), qid, answer, span, boxes)


def empty_span_notes(table: PredictionTable) -> tuple[str, ...]:
    """A note on predicted spans that end where or before they start, which can never be right, if there are any."""
    empty = table.span[:, 1] <= table.span[:, 0]
    if not (count := int(empty.sum())):
        return ()
    first = int(table.qid[empty.argmax()])
    share = f"{count:,} of {counted(len(empty), 'predicted span')} (first: question {first})"
    verbs = "ends where or before it starts" if count == 1 else "end where or before they start"
    return (f"{share} {verbs}, and can never be right; spans are [start, end] in seconds",)


def tabulate_predictions(predictions: Sequence[Prediction], vocabulary: Mapping[str, int]) -> PredictionTable:
    """Predictions as columns, as if they were written to a file and read again."""
    source = "predictions"
    entries = [entry for prediction in predictions for entry in _entries(prediction, vocabulary)]
    return PredictionTable(
        source,
        np.array([p.qid for p in predictions], np.int64),
        np.array([p.answer_index for p in predictions], np.int64),
        np.array([p.span for p in predictions], np.float64).reshape(-1, 2),
        _columns(entries, source) if entries else None,
    )


def join_tables(tables: Sequence[PredictionTable]) -> PredictionTable:
    """Concatenate one or more tables."""
    boxes = [table.boxes for table in tables if table.boxes is not None]
    columns = {
        name: np.concatenate([getattr(b, name) for b in boxes]) for name in PredictedBoxes.__slots__ if boxes
    }
    return PredictionTable(
        tables[0].source,
        np.concatenate([table.qid for table in tables]),
        np.concatenate([table.answer for table in tables]),
        np.concatenate([table.span for table in tables]),
        PredictedBoxes(**columns) if boxes else None,
    )


def _entries(prediction: Prediction, vocabulary: Mapping[str, int]) -> list[_Entry]:
    return [
        _entry(prediction.qid, grounded, vocabulary[word])
        for grounded in prediction.grounding
        if (word := normalise_word(grounded.word)) in vocabulary
    ]


def _entry(qid: int, grounded: WordBoxes, word_id: int) -> _Entry:
    ascending: list[Box] = sorted(grounded.boxes, key=lambda box: box.score)
    scores, corners = [box.score for box in ascending], [list(box.corners) for box in ascending]
    return _Entry(qid, grounded.hypothesis, grounded.frame, word_id, scores, corners)


def _raw_boxes(prediction: Prediction, vocabulary: Mapping[str, int]) -> dict[str, list[dict[str, Any]]]:
    raw: dict[str, list[dict[str, Any]]] = {str(k): [] for k in range(len(prediction.spans))}
    for entry in _entries(prediction, vocabulary):
        raw[str(entry.hypothesis)].append(
            {
                "pred": entry.scores,
                "bbox": entry.corners,
                "word": entry.word,
                "qid": entry.qid,
                "vid_name": prediction.clip,
                "img_idx": entry.frame,
            }
        )
    return raw


def _read_answers(answers: dict[str, Any], path: Path) -> tuple[Integers, Integers, Floats]:
    qids, indices, spans = [], [], []
    for key, value in answers.items():
        try:
            (start, end), index = value
            qids.append(np.int64(int(key)))
            indices.append(np.int64(int(index)))
            spans.append((float(start), float(end)))
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{path}, question {key}: must be [[start, end], answer index]") from None
        if not all(-MAX_SECONDS < time < MAX_SECONDS for time in spans[-1]):
            raise InputError(
                f"{path}, question {key}: the span's start and end must be finite seconds below {MAX_SECONDS:,}"
            )
    qid, answer = np.array(qids, np.int64), np.array(indices, np.int64)
    if len(np.unique(qid)) != len(qid):
        raise InputError(f"{path}: ts_answer has two answers for one question")
    return qid, answer, np.array(spans, np.float64).reshape(-1, 2)


def _read_entries(raw: Any, path: Path) -> list[_Entry]:
    entries: list[_Entry] = []
    try:
        for per_question in raw:
            for hypothesis, raw_entries in per_question.items():
                index = int(hypothesis)
                entries += [
                    _Entry(e["qid"], index, e["img_idx"], e["word"], e["pred"], e["bbox"])
                    for e in raw_entries
                ]
    except KeyError as missing:
        raise InputError(f"{path}: an entry of raw_bbox has no {missing.args[0]}") from None
    except (TypeError, ValueError, AttributeError):
        raise InputError(
            f"{path}: raw_bbox must be a list of objects that map hypotheses to lists of entries"
        ) from None
    return entries


def _columns(entries: Sequence[_Entry], source: str) -> PredictedBoxes:
    try:
        return _stack(entries)
    except (TypeError, ValueError, OverflowError):
        invalid = next((e for e in entries if not _is_valid(e)), entries[0])
        raise InputError(
            f"{source}, question {quoted(invalid.qid)}: the boxes of word {quoted(invalid.word)} in frame "
            f"{quoted(invalid.frame)} must be one row of four pixel coordinates per score"
        ) from None


def _is_valid(entry: _Entry) -> bool:
    try:
        _stack([entry])
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _stack(entries: Sequence[_Entry]) -> PredictedBoxes:
    """One row per box. Raises TypeError, ValueError or OverflowError if values are missing or invalid."""
    counts = [len(e.scores) for e in entries]
    if counts != [len(e.corners) for e in entries]:
        raise ValueError
    score = np.array([s for e in entries for s in e.scores], np.float64)
    corners = np.array([c for e in entries for c in e.corners], np.float64)
    if score.ndim != 1 or (len(score) and corners.shape != (len(score), 4)):
        raise ValueError
    if not (np.abs(score) < MAX_VALUE).all() or not (np.abs(corners) < MAX_VALUE).all():
        raise ValueError
    keys = np.array([entry[:4] for entry in entries], np.int64).reshape(-1, 4)
    qid, hypothesis, frame, word = np.repeat(keys, counts, axis=0).T
    return PredictedBoxes(qid, hypothesis, frame, word, score, corners.reshape(-1, 4))
