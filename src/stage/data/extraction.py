"""Features of a data folder: what `stage features` runs."""

from __future__ import annotations

from pathlib import Path

from stage.annotation.labels import frames_of_question
from stage.annotation.questions import read_questions
from stage.data.layouts.folder import FEATURES, QUESTIONS, read_clips
from stage.errors import InputError
from stage.features.extraction import extract_regions, extract_texts
from stage.features.protocols import RegionDetector, TextEncoder
from stage.types import Progress

EPISODES = "episodes"
"""Where the films of a data folder lie."""


def extract_folder(folder: Path, text: TextEncoder, detector: RegionDetector, progress: Progress) -> None:
    """Make all features of a data folder; clips and texts that are there already are not made again."""
    extract_regions(folder / EPISODES, folder / FEATURES, detector, progress, frames_asked(folder))
    extract_words(folder, text, progress)


def extract_words(folder: Path, encoder: TextEncoder, progress: Progress) -> None:
    """Word vectors of the questions and subtitles of a data folder."""
    texts = {sentence.text for clip in read_clips(folder).values() for sentence in clip.sentences}
    texts |= {h for question in read_questions(folder / QUESTIONS) for h in question.hypotheses}
    extract_texts(texts, folder / FEATURES, encoder, progress)


def frames_asked(folder: Path) -> dict[str, list[int]]:
    """For each clip of a data folder, the numbered frames that its questions are seen through.

    Raises InputError if a question is about a clip that the folder does not have.
    """
    clips = read_clips(folder)
    asked: dict[str, set[int]] = {name: set() for name in clips}
    for question in read_questions(folder / QUESTIONS):
        if question.clip not in clips:
            raise InputError(
                f"{folder}: no subtitles or frame count for clip {question.clip}, "
                f"which question {question.qid} is about"
            )
        asked[question.clip].update(frames_of_question(question, clips[question.clip].frame_count))
    return {name: sorted(frames) for name, frames in asked.items()}
