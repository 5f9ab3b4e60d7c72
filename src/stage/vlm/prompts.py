"""Prompts: how a model is asked for an answer, a moment, and boxes"""

from __future__ import annotations

from collections.abc import Sequence

from stage.vlm.chat import Frame, Part
from stage.wording import detokenised

YES_NO = ("A", "B")
"""The letters of yes and no."""


def context(frames: Sequence[Frame], subtitles: str, what: str = "a film") -> list[Part]:
    """What comes before a question: frames in order and subtitles, of which either may be missing."""
    parts: list[Part] = []
    if frames:
        parts += [f"These are frames of {what}, in order, each with its time.\n", *frames]
    if subtitles:
        parts.append(f"\nThis is said in {what}, with its times:\n{subtitles}\n")
    return parts


def choice(view: Sequence[Part], question: str, options: Sequence[str], letters: Sequence[str]) -> list[Part]:
    """Asks for the letter of the right one of some options."""
    lines = [f"({letter}) {detokenised(option)}" for letter, option in zip(letters, options, strict=True)]
    return [
        *view,
        f"\nQuestion: {detokenised(question)}\nOptions:\n"
        + "\n".join(lines)
        + "\nWhich option is right? Reply with its letter alone.",
    ]


def writing(view: Sequence[Part], question: str) -> list[Part]:
    """Asks for an answer in words."""
    return [*view, f"\nQuestion: {detokenised(question)}\nAnswer in a few words, in one line."]


def window(view: Sequence[Part], question: str) -> list[Part]:
    """Asks whether a part of a film shows the moment of a question: yes is (A), no is (B)."""
    return [
        *view,
        f"\nA question about the whole film: {detokenised(question)}\nDoes this part of the film show the moment "
        "that the question is about, so that it can be answered from it?\n(A) yes\n(B) no\n"
        "Reply with the letter alone.",
    ]


def span(view: Sequence[Part], question: str) -> list[Part]:
    """Asks for start and end of the moment of a question."""
    return [
        *view,
        f"\nA question about the film: {detokenised(question)}\nWhen does the film show the answer? Reply with the "
        "start and the end of that moment in seconds, as [start, end], and nothing else.",
    ]


def boxes(frame: Frame, words: Sequence[str]) -> list[Part]:
    """Asks for the boxes of words in a frame, one entry for each that can be seen."""
    return [
        frame,
        f"\nLocate in this picture: {', '.join(words)}. Reply with a JSON list alone, with one entry for each of "
        'these that can be seen: [{"bbox_2d": [x1, y1, x2, y2], "label": "the word"}]. '
        "Reply with [] if none can be seen.",
    ]
