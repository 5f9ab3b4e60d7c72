"""The JSON form of evidence: written, and read again"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from stage.types import (
    FRAMES_PER_SECOND,
    AnsweredBy,
    AttendedSentence,
    Box,
    Clip,
    Evidence,
    Moment,
    Prediction,
    Question,
    Sentence,
    TrackRecord,
    WordBoxes,
)


def to_json(evidence: Evidence) -> dict[str, Any]:
    """The evidence as plain values for a JSON file. Times in seconds, boxes [left, top, right, bottom] in pixels.

    The probability of an answer that was written freely is None.
    """
    question, prediction = evidence.question, evidence.prediction
    return {
        "question": question.text,
        "answers": list(question.answers),
        "answer": evidence.answer,
        "answer_index": prediction.answer_index,
        "probabilities": [None] if evidence.free else list(prediction.probabilities),
        "span": list(prediction.span),
        "spans": [list(span) for span in prediction.spans],
        "concepts": list(evidence.concepts),
        "boxes": [box for moment in evidence.moments for box in _boxes(moment)],
        "moments": [_moment(moment) for moment in evidence.moments],
        "clip": {
            "name": evidence.clip.name,
            "duration": evidence.clip.duration,
            "width": evidence.clip.width,
            "height": evidence.clip.height,
        },
        "notes": list(evidence.notes),
        "answered_by": None if evidence.answered_by is None else asdict(evidence.answered_by),
        "free": evidence.free,
    }


def from_json(content: Mapping[str, Any], question: Question, clip: Clip) -> Evidence:
    """The evidence that `to_json` wrote about this question and clip. Raises ValueError if it is of another one.

    What the form does not have is lost: in frames without boxes, the words that were looked for.
    """
    try:
        return _evidence(content, question, clip)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"is no evidence: {error!r}") from None


def _evidence(content: Mapping[str, Any], question: Question, clip: Clip) -> Evidence:
    free, index, answers = content["free"], content["answer_index"], tuple(content["answers"])
    spans = tuple((float(start), float(end)) for start, end in content["spans"])
    probabilities = (1.0,) if free else tuple(map(float, content["probabilities"]))
    if not free and answers != question.answers:
        raise ValueError("is of a question with other answers")
    if not len(answers) == len(spans) == len(probabilities) or not 0 <= index < len(answers):
        raise ValueError("has not one span and probability for each answer")
    boxes: dict[int, dict[str, list[Box]]] = {}
    for box in content["boxes"]:
        left, top, right, bottom = map(float, box["box"])
        of_word = boxes.setdefault(box["frame"], {}).setdefault(str(box["word"]), [])
        of_word.append(Box(left, top, right, bottom, str(box["word"]), float(box["score"])))
    moments = (_read_moment(moment, boxes.get(moment["frame"], {}), index) for moment in content["moments"])
    return Evidence(
        clip,
        Question(
            question.qid,
            question.clip,
            question.text,
            answers,
            question.answer_index,
            question.span,
            question.boxes,
        ),
        Prediction(question.qid, question.clip, index, probabilities, spans),
        tuple(map(str, content["concepts"])),
        tuple(moments),
        tuple(map(str, content["notes"])),
        _answered_by(content["answered_by"]),
        bool(free),
    )


def _boxes(moment: Moment) -> list[dict[str, Any]]:
    return [
        {
            "word": words.word,
            "frame": words.frame,
            "time": words.frame / FRAMES_PER_SECOND,
            "in_span": moment.in_span,
            "box": list(box.corners),
            "score": box.score,
        }
        for words in moment.grounding
        for box in words.boxes
    ]


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "frame": moment.frame,
        "time": moment.time,
        "in_span": moment.in_span,
        "start_probability": moment.start_probability,
        "end_probability": moment.end_probability,
        "subtitles": [
            {
                "start": attended.sentence.start,
                "end": attended.sentence.end,
                "words": attended.sentence.words,
                "attention": list(attended.weights),
            }
            for attended in moment.sentences
        ],
    }


def _read_moment(moment: Mapping[str, Any], boxes: Mapping[str, list[Box]], hypothesis: int) -> Moment:
    grounding = (
        WordBoxes(hypothesis, moment["frame"], word, tuple(of_word)) for word, of_word in boxes.items()
    )
    attended = (
        AttendedSentence(
            Sentence(float(line["start"]), float(line["end"]), " ".join(line["words"])),
            tuple(map(float, line["attention"])),
        )
        for line in moment["subtitles"]
    )
    return Moment(
        int(moment["frame"]),
        float(moment["start_probability"]),
        float(moment["end_probability"]),
        tuple(grounding),
        tuple(attended),
        bool(moment["in_span"]),
    )


def _answered_by(content: Mapping[str, Any] | None) -> AnsweredBy | None:
    if content is None:
        return None
    record = content["record"]
    return AnsweredBy(content["name"], content["reason"], None if record is None else TrackRecord(**record))
