"""Extracting all features of a data folder, as `stage features` does."""

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
"""The subfolder of a data folder that contains its films."""


def extract_folder(folder: Path, text: TextEncoder, detector: RegionDetector, progress: Progress) -> None:
    """Compute the features of a data folder that its store lacks. Raises InputError naming what can't be read."""
    extract_regions(folder / EPISODES, folder / FEATURES, detector, progress, frames_to_extract(folder))
    extract_words(folder, text, progress)


def extract_words(folder: Path, encoder: TextEncoder, progress: Progress) -> None:
    """Compute the word vectors of a data folder's questions and subtitles that its store lacks."""
    texts = {sentence.text for clip in read_clips(folder).values() for sentence in clip.sentences}
    texts |= {h for question in read_questions(folder / QUESTIONS) for h in question.hypotheses}
    extract_texts(texts, folder / FEATURES, encoder, progress)


def frames_to_extract(folder: Path) -> dict[str, list[int]]:
    """For each clip of a data folder, the numbered frames that the model reads for any of its questions.

    Raises InputError if a question is about a clip that the folder lacks.
    """
    clips = read_clips(folder)
    frames: dict[str, set[int]] = {name: set() for name in clips}
    for question in read_questions(folder / QUESTIONS):
        if question.clip not in clips:
            raise InputError(
                f"{folder}: no subtitles or frame count for clip {question.clip}, "
                f"which question {question.qid} is about"
            )
        frames[question.clip].update(frames_of_question(question, clips[question.clip].frame_count))
    return {name: sorted(numbers) for name, numbers in frames.items()}
