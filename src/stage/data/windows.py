"""Windows: the part of a long clip that a question is trained on, with the moment that shows the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stage.annotation.labels import frames_of_question, span_in_frames
from stage.types import FRAMES_PER_SECOND, MODEL_STRIDE, Clip, Question
from stage.wording import counted


def training_window(
    question: Question, clip: Clip, size: int, last_frame: int | None
) -> tuple[Question, tuple[int, ...]]:
    """A question as it is trained on, and the numbered frames that are read for it, at most `size`.

    Those are all that `frames_of_question` names, or of a longer clip consecutive ones that contain the span. It lies
    as far along them as along the clip, so its place tells no more than it does at inference. Without a span they
    contain the annotated frames, and without those they are the first. Of a span that doesn't fit in, they show the
    beginning; the question is then without its span, whose end isn't seen. last_frame: as for `frames_of_question`.
    """
    frames = frames_of_question(question, clip.frame_count, last_frame)
    if len(frames) <= size:
        return question, frames
    first, last = _moment(question, clip, frames, last_frame)
    length = last - first + 1
    if length > size:
        return replace(question, span=None), frames[first : first + size]
    before = (size - length) * first // (len(frames) - length)
    return question, frames[first - before : first - before + size]


def _moment(question: Question, clip: Clip, frames: Sequence[int], last_frame: int | None) -> tuple[int, int]:
    """First and last position of the frames that show the answer, as far as that is known."""
    if question.span:
        return span_in_frames(question.span, frames, clip.frame_count, last_frame)
    annotated = [position for position, frame in enumerate(frames) if question.boxes.get(frame)]
    return (annotated[0], annotated[-1]) if annotated else (0, 0)


def window_notes(
    name: str, questions: Sequence[Question], clips: Mapping[str, Clip], size: int, last_frame: int | None
) -> list[str]:
    """Messages about the questions of a set that are trained on a part of their clip. name: of the set."""
    windowed, without_times, unknown = 0, [], 0
    for question in questions:
        clip = clips[question.clip]
        if len(frames_of_question(question, clip.frame_count, last_frame)) > size:
            trained_on, _ = training_window(question, clip, size, last_frame)
            windowed += 1
            unknown += not question.span and not any(question.boxes.values())
            if trained_on.span != question.span:
                without_times.append(question.qid)
    if not windowed:
        return []
    seconds = size * MODEL_STRIDE // FRAMES_PER_SECOND
    notes = [
        f"{name}: {counted(windowed, 'question')} about clips longer than data.limits.frames ({size} frames, "
        f"{seconds:,} s), trained on a part of that length that contains the span"
    ]
    if unknown:
        notes.append(
            f"{name}: {counted(unknown, 'question')} of these without span and boxes, trained on the clip's beginning"
        )
    if without_times:
        notes.append(
            f"{name}: {counted(len(without_times), 'question')} of these with a longer span (such as question "
            f"{without_times[0]}), from which no times are learnt; raise data.limits.frames"
        )
    return notes
