"""Labels and subtitles held against their clip: times and frames that lie outside it, or can never be found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from stage.annotation.issues import Issues
from stage.types import MODEL_STRIDE, Clip, Question, Sentence
from stage.wording import counted

LABEL_TOLERANCE = 1.0
"""Seconds by which labels and subtitles may exceed their clip: its last third of a second, and what is rounded."""
MILLISECONDS = 1000


def check_times(question: Question, clip: Clip | None, location: str, issues: Issues) -> None:
    """Report a span that can't be found, and annotated frames that the clip lacks or no model reads.

    clip: None if it is unknown; location: the question and its file.
    """
    if question.span is not None:
        _check_span(question.span, clip, location, issues)
    for frame, boxes in question.boxes.items() if clip else ():
        if clip and boxes and frame > clip.frame_count:
            issues.add(
                "annotated frames past the end of their clip",
                f"frame {frame} of {clip.frame_count} in {clip.name}, {location}",
                "number frames from 1, three per second; their boxes can never be found",
                error=True,
            )
    unread = [f for f, boxes in question.boxes.items() if boxes and (f - min(question.boxes)) % MODEL_STRIDE]
    if unread:
        issues.add(
            "questions with boxes in frames that are never read",
            f"frame {unread[0]} after {min(question.boxes)}, {location}",
            "annotate every sixth frame, counted from the first that is annotated; other boxes can never be found",
        )


def _check_span(span: tuple[float, float], clip: Clip | None, location: str, issues: Issues) -> None:
    text = "{:g} to {:g} s".format(*span)
    if span[0] == span[1]:
        issues.add(
            "empty spans, which can never be found",
            f"{text}, {location}",
            "give ts as start and end in seconds, or leave it out",
            error=True,
        )
    elif (clip and span[0] >= clip.duration) or span[1] <= 0:
        issues.add(
            "spans outside their clip, which can never be found",
            f"{text}, but {_lasts(clip)}, {location}" if clip else f"{text}, {location}",
            "give ts in seconds from the clip's beginning, or leave it out",
            error=True,
        )
    elif clip and span[1] > clip.duration + LABEL_TOLERANCE:
        issues.add(
            "spans that end after their clip",
            f"{text}, but {_lasts(clip)}, {location}",
            "give ts in seconds from the clip's beginning, within the clip",
            error=True,
        )


def check_sentences(clip: Clip, path: Path, issues: Issues) -> None:
    """Report sentences that lie past the clip's end, or end before they start. path: of the subtitle file."""
    if backward := [s for s in clip.sentences if s.end < s.start]:
        issues.add(
            "clips with sentences that end before they start",
            f"{clip.name} in {path}: {_of(backward, clip)}, first at {backward[0].start:g} s",
            "correct sub_time and sub_end, or leave sub_end out",
            error=True,
        )
    late = [s for s in clip.sentences if s.start > clip.duration + LABEL_TOLERANCE]
    if not late:
        return
    location = f"{clip.name} in {path}: {_of(late, clip)}, up to {max(s.start for s in late):g} s, but {_lasts(clip)}"
    in_seconds = max(s.start for s in late) / MILLISECONDS
    if in_seconds <= clip.duration and len(late) == sum(s.start > 0 for s in clip.sentences):
        issues.add(
            "clips with subtitles in milliseconds",
            location,
            "give sub_time and sub_end in seconds, or make the file with `stage data make`",
            error=True,
        )
    else:
        issues.add(
            "clips with sentences past their end",
            location,
            "check that the subtitles are of this film; make the file with `stage data make`",
            error=len(late) == len(clip.sentences),
        )


def times_summary(
    questions: Iterable[Question], clips: Mapping[str, Clip], annotation: Path, subtitles: Path | None = None
) -> tuple[str, ...]:
    """What `check_times` and `check_sentences` report, a line per kind. subtitles: their file, if they are read."""
    issues = Issues()
    for question in questions:
        location = f"question {question.qid} in {annotation}"
        check_times(question, clips.get(question.clip), location, issues)
    for clip in clips.values() if subtitles else ():
        check_sentences(clip, subtitles or annotation, issues)
    return tuple(issues.summary())


def suggestion(name: str, known: Iterable[str]) -> str:
    """The known clip whose name is nearest, for a message: " (did you mean s01?)"; empty if none is near."""
    nearest = get_close_matches(name, list(known), 1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def _of(sentences: Sequence[Sentence], clip: Clip) -> str:
    return f"{len(sentences):,} of {counted(len(clip.sentences), 'sentence')}"


def _lasts(clip: Clip) -> str:
    return f"{clip.name} lasts {clip.duration:.1f} s"
