"""A data folder with its features: questions, clips, and the vectors of both.

questions.json   questions, answers, spans and boxes, in TVQA+'s layout
subtitles.json   the sentences of every clip
frames.json      the number of numbered frames of every clip
features/        vectors of words and regions, made by `stage features`
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from stage.annotation.questions import read_questions
from stage.annotation.subtitles import read_frame_counts, read_subtitles
from stage.annotation.vocabulary import object_vocabulary
from stage.errors import InputError
from stage.examples import Example, Limits, make_example, training_frames
from stage.features.pca import Projection, fit_pca
from stage.features.store import FeatureStore
from stage.types import Array, Clip, ClipFeatures, Question, Regions

QUESTIONS, SUBTITLES, FRAMES, FEATURES = "questions.json", "subtitles.json", "frames.json", "features"
CLIPS_IN_MEMORY = 512


class QuestionSet:
    """Questions with everything that is needed to make examples of them."""

    def __init__(
        self,
        folder: Path,
        questions: list[Question],
        clips: dict[str, Clip],
        store: FeatureStore,
        limits: Limits,
    ) -> None:
        self.folder = folder
        self.questions = questions
        self.clips = clips
        self.store = store
        self.limits = limits
        self.projection: Projection | None = None
        self._clip_features = lru_cache(CLIPS_IN_MEMORY)(self._read_clip)

    @classmethod
    def open(cls, folder: Path, limits: Limits) -> QuestionSet:
        """Read a data folder. Raises InputError naming what is missing and the command that makes it."""
        if not (folder / QUESTIONS).is_file():
            raise InputError(f"{folder}: has no {QUESTIONS}; make a data folder with `stage sitcom {folder}`")
        if not (folder / FEATURES).is_dir():
            raise InputError(f"{folder}: has no features; make them with `stage features {folder}`")
        questions = read_questions(folder / QUESTIONS)
        clips = read_clips(folder)
        if strangers := sorted({q.clip for q in questions} - set(clips)):
            raise InputError(
                f"{folder}: no subtitles or frame count for clip {strangers[0]}, which has questions"
            )
        return cls(folder, questions, clips, FeatureStore.open(folder / FEATURES), limits)

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def concepts(self) -> set[str]:
        """Words (lower case) that have boxes somewhere in the set."""
        return set(object_vocabulary(self.questions))

    @property
    def text_name(self) -> str:
        return self.store.attributes.text

    @property
    def region_name(self) -> str:
        return self.store.attributes.regions

    @property
    def text_dim(self) -> int:
        return self.store.attributes.text_dim

    @property
    def region_dim(self) -> int:
        """Size of the region vectors of examples: after projection, if there is one."""
        return self.projection.dim if self.projection else self.store.attributes.region_dim

    def check_same_features(self, other: QuestionSet) -> None:
        """Raises InputError if the two sets were made with different encoders."""
        ours, theirs = self.store.attributes, other.store.attributes
        if ours != theirs:
            raise InputError(f"{other.folder}: features are {theirs}, but those of {self.folder} are {ours}")

    def fit_projection(self, components: int, seed: int) -> None:
        """Find the principal components of the set's region features, and use them from now on."""
        self.projection = fit_pca(self._region_features(seed), components)

    def sizes(self) -> list[int]:
        """How much work each question is, for putting like ones together: frames times words."""
        return [
            self.clips[q.clip].frame_count * (len(q.text.split()) + max(len(a.split()) for a in q.answers))
            for q in self.questions
        ]

    def example(self, index: int) -> Example:
        question = self.questions[index]
        hypotheses = [self.store.text(text) for text in question.hypotheses]
        clip = self._clip_features(question.clip)
        frames = training_frames(question, clip, self.limits)
        return make_example(question, clip, hypotheses, frames, self.limits)

    def _read_clip(self, name: str) -> ClipFeatures:
        clip = self.clips[name]
        words = tuple(self.store.text(sentence.text) for sentence in clip.sentences)
        regions = {
            frame: project(found, self.projection, self.limits.regions)
            for frame, found in self.store.clip(name).items()
        }
        return ClipFeatures(clip, words, regions)

    def _region_features(self, seed: int) -> Iterator[Array]:
        names = sorted(self.clips)
        for i in np.random.default_rng(seed).permutation(len(names)):
            yield np.concatenate([found.features for found in self.store.clip(names[i]).values()])


def project(regions: Regions, projection: Projection | None, count: int) -> Regions:
    """The best regions of a frame, features reduced to principal components if there are any."""
    features = regions.features[:count]
    return Regions(
        regions.boxes[:count],
        regions.scores[:count],
        projection.apply(features) if projection else features,
        regions.labels[:count],
    )


def read_clips(folder: Path) -> dict[str, Clip]:
    """The clips of a data folder, without pixels and vectors."""
    sentences = read_subtitles(folder / SUBTITLES)
    return {
        name: Clip(name, frame_count, sentences=sentences.get(name, ()))
        for name, frame_count in read_frame_counts(folder / FRAMES).items()
    }
