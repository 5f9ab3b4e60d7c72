"""Evidence as plain JSON, for other programs."""

from __future__ import annotations

from typing import Any

from stage.types import FRAMES_PER_SECOND, Evidence, Moment


def to_json(evidence: Evidence) -> dict[str, Any]:
    """Everything that is known of an answer. Times in seconds, boxes in pixels [left, top, right, bottom]."""
    question, prediction = evidence.question, evidence.prediction
    return {
        "question": question.text,
        "answers": list(question.answers),
        "answer": evidence.answer,
        "answer_index": prediction.answer_index,
        "probabilities": list(prediction.probabilities),
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
    }


def _boxes(moment: Moment) -> list[dict[str, Any]]:
    return [
        {
            "word": words.word,
            "frame": words.frame,
            "time": words.frame / FRAMES_PER_SECOND,
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
