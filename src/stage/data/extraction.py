"""Extracting all features of a data folder, as `stage features` does."""

from __future__ import annotations

from pathlib import Path

from stage.annotation.clip_checks import suggestion
from stage.annotation.labels import frames_of_question
from stage.annotation.questions import read_questions
from stage.data.films import measured_films
from stage.data.layouts.folder import EPISODES, FEATURES, QUESTIONS, read_clips, refuse_lengths
from stage.errors import InputError
from stage.features.extraction import extract_regions, extract_texts
from stage.features.protocols import RegionDetector, TextEncoder
from stage.types import Progress


def extract_folder(
    folder: Path, text: TextEncoder, detector: RegionDetector, progress: Progress
) -> tuple[str, ...]:
    """Compute the features of a data folder that its store lacks. Returns notes on its films.

    Raises InputError naming what can't be read.
    """
    films = folder / EPISODES
    frames = frames_to_extract(folder, films)
    extracted = extract_regions(films, folder / FEATURES, detector, progress, frames)
    extract_words(folder, text, progress)
    return extracted.notes


def extract_words(folder: Path, encoder: TextEncoder, progress: Progress) -> None:
    """Compute the word vectors of a data folder's questions and subtitles that its store lacks."""
    texts = {sentence.text for clip in read_clips(folder).values() for sentence in clip.sentences}
    texts |= {h for question in read_questions(folder / QUESTIONS) for h in question.hypotheses}
    extract_texts(texts, folder / FEATURES, encoder, progress)


def frames_to_extract(folder: Path, films: Path) -> dict[str, list[int]]:
    """For each clip of a data folder, the numbered frames that the model reads for any of its questions.

    films: the folder of its films. Raises InputError if there are no questions, one is about a clip that the data
    folder lacks, or a length in its frames.json isn't the film's.
    """
    clips, questions = read_clips(folder), read_questions(folder / QUESTIONS)
    if not questions:
        raise InputError(f"{folder / QUESTIONS}: has no questions")
    frames: dict[str, set[int]] = {name: set() for name in clips}
    for question in questions:
        if question.clip not in clips:
            raise InputError(
                f"{folder}: no subtitles or frame count for clip {question.clip}{suggestion(question.clip, clips)}, "
                f"which question {question.qid} is about; correct its vid_name, or run `stage data make {folder}`"
            )
        frames[question.clip].update(frames_of_question(question, clips[question.clip].frame_count))
    features = folder / FEATURES
    known = features if (features / "attributes.json").is_file() else None
    measured = measured_films(films, clips, known)
    refuse_lengths(folder, clips.values(), {name: clip.frame_count for name, clip in measured.items()})
    return {name: sorted(numbers) for name, numbers in frames.items()}
