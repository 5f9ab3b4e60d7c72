"""Submissions held against the films, and against each other: boxes are in the pixels of one film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stage.annotation.issues import Issues
from stage.collecting.submissions import Submission
from stage.errors import InputError
from stage.types import FRAMES_PER_SECOND, Clip, Question

FRAME_TOLERANCE = FRAMES_PER_SECOND
"""Numbered frames by which two encodings of the same film may differ: a second."""
SHAPE_TOLERANCE = 0.02
"""By which the ratio of width and height may differ: sides are rounded, often to even numbers."""


def fitted(submission: Submission, films: Mapping[str, Clip], issues: Issues) -> Submission:
    """A submission with its boxes in the pixels of the film.

    Raises InputError if there is no film of its clip, or if the page was made from one of another shape or length.
    """
    page = submission.clip
    film = films.get(page.name)
    if film is None:
        raise InputError(
            f"{submission.file}: there is no film of {page.name!r}; give the folder that it is in"
        )
    if not _is_same_length(page, film) or not _is_same_shape(page, film):
        raise InputError(
            f"{submission.file}: its page was made from a film of {_described(page)}, but that of {page.name!r} "
            f"has {_described(film)}; make the page again from this film"
        )
    if (page.width, page.height) == (film.width, film.height):
        return submission
    issues.add(
        "submissions drawn on a film of another size, their boxes scaled",
        f"{submission.file}, from {page.width} x {page.height} to {film.width} x {film.height}",
    )
    across, down = film.width / page.width, film.height / page.height
    scaled = tuple(
        replace(refined, question=_scaled(refined.question, across, down)) for refined in submission.questions
    )
    return replace(submission, clip=film, questions=scaled)


def clips_of(submissions: Sequence[Submission]) -> dict[str, Clip]:
    """The clips of submissions. Raises InputError if two pages of a clip were made from different films."""
    first: dict[str, Submission] = {}
    for submission in submissions:
        page = submission.clip
        one = first.setdefault(page.name, submission)
        same_size = (page.width, page.height) == (one.clip.width, one.clip.height)
        if not same_size or not _is_same_length(page, one.clip):
            raise InputError(
                f"{submission.file}: its page was made from a film of {_described(page)}, but that of "
                f"{one.file} from one of {_described(one.clip)}; give the right films with --films"
            )
    return {name: submission.clip for name, submission in first.items()}


def _is_same_length(one: Clip, other: Clip) -> bool:
    return abs(one.frame_count - other.frame_count) <= FRAME_TOLERANCE


def _is_same_shape(one: Clip, other: Clip) -> bool:
    return abs(one.width * other.height / (one.height * other.width) - 1) <= SHAPE_TOLERANCE


def _described(clip: Clip) -> str:
    return f"{clip.width} x {clip.height} pixels and {clip.duration:.1f} s"


def _scaled(question: Question, across: float, down: float) -> Question:
    boxes = {
        frame: tuple(
            replace(b, left=b.left * across, top=b.top * down, right=b.right * across, bottom=b.bottom * down)
            for b in drawn
        )
        for frame, drawn in question.boxes.items()
    }
    return replace(question, boxes=boxes)
