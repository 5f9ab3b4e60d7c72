"""Question sets: questions with their clips and features, ready for examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from stage.annotation.vocabulary import object_vocabulary
from stage.data.examples import Example, Limits, make_example, training_frames
from stage.errors import InputError
from stage.features.projection import Projections, fit_projection
from stage.features.protocols import FeatureSource
from stage.types import Array, Clip, ClipFeatures, Question, Regions
from stage.wording import counted

WHITENING_SAMPLE = 50_000
"""Word vectors of the training set that whitening is fitted on, at least, if there are as many."""


class QuestionSet:
    """Questions with their clips and features."""

    def __init__(
        self,
        name: str,
        questions: list[Question],
        clips: Mapping[str, Clip],
        source: FeatureSource,
        limits: Limits,
        notes: Sequence[str] = (),
    ) -> None:
        """name: where the set was read from; notes: messages to the user about its issues.

        Raises InputError if there are no questions, a question is about an unknown clip, or the number of candidate
        answers differs.
        """
        self.name = name
        self.questions = questions
        self.clips = clips
        self.source = source
        self.limits = limits
        self.notes = tuple(notes)
        self.projections = Projections()
        if unknown := sorted({q.clip for q in questions} - set(clips)):
            raise InputError(
                f"{name}: no subtitles or frame count for clip {unknown[0]}, which has questions"
            )
        if not questions:
            raise InputError(f"{name}: has no questions")
        first = questions[0]
        if other := next((q for q in questions if len(q.answers) != len(first.answers)), None):
            raise InputError(
                f"{name}: question {other.qid} has {counted(len(other.answers), 'candidate answer')}, "
                f"but {first.qid} has {len(first.answers)}; all must have the same number"
            )

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def concepts(self) -> set[str]:
        """The words (lower case) that label boxes of the set."""
        return set(object_vocabulary(self.questions))

    @property
    def text_name(self) -> str:
        """Name of the text encoder."""
        return self.source.attributes.text

    @property
    def region_name(self) -> str:
        """Name of the region detector."""
        return self.source.attributes.regions

    @property
    def text_dim(self) -> int:
        """Size of the word vectors of examples."""
        return self.source.attributes.text_dim

    @property
    def region_dim(self) -> int:
        """Size of the region features of examples, after projection if there is one."""
        return self.projections.region_dim(self.source.attributes.region_dim)

    def check_same_features(self, other: QuestionSet) -> None:
        """Raises InputError if the features of the other set are of another encoder or detector."""
        own, others = self.source.attributes, other.source.attributes
        if own != others:
            raise InputError(f"{other.name}: features are {others}, but those of {self.name} are {own}")

    def labelled(self) -> QuestionSet:
        """The questions with a known right answer, which can be trained on. Raises InputError if there are none."""
        labelled = [q for q in self.questions if q.answer_index is not None]
        if not labelled:
            raise InputError(f"{self.name}: no question has an answer_idx, so there is nothing to train on")
        return QuestionSet(self.name, labelled, self.clips, self.source, self.limits, self.notes)

    def fit_projections(
        self, region_components: int | None, *, whiten: bool, regions_are_words: bool, seed: int
    ) -> None:
        """Fit PCA projections on the set's features, and apply them to its examples from now on.

        region_components: how many components to keep of regions; None keeps all if they are whitened, and doesn't
        project them otherwise. whiten: words and regions. regions_are_words: project regions like words (visual
        concepts). seed: of the order in which features are sampled.
        """
        words = regions = None
        if whiten:
            words = fit_projection(self._word_vectors(seed), self.text_dim, whiten=True)
        if regions_are_words:
            regions = words
        elif region_components or whiten:
            count = region_components or self.source.attributes.region_dim
            regions = fit_projection(self._region_features(seed), count, whiten=whiten)
        self.projections = Projections(words, regions)

    def sizes(self) -> list[int]:
        """The size of each question, for batching: frames times words."""
        return [
            self.clips[q.clip].frame_count * (len(q.text.split()) + max(len(a.split()) for a in q.answers))
            for q in self.questions
        ]

    def example(self, index: int) -> Example:
        """A question with its features. Raises InputError if they are missing or can't be read."""
        question = self.questions[index]
        clip = self.clips[question.clip]
        frames = training_frames(question, clip, self.limits)
        projections = self.projections
        regions = projections.project_regions(self.source.regions(clip, frames), self.limits.regions)
        words = tuple(projections.project_words(self.source.sentences(clip)))
        features = ClipFeatures(clip, words, regions, self.region_dim)
        hypotheses = projections.project_words(self.source.hypotheses(question))
        return make_example(question, features, hypotheses, frames, self.limits)

    def regions_of(self, clip: str) -> Mapping[int, Regions]:
        """The regions of all available frames of a clip, by numbered frame, before projection."""
        return self.source.regions(self.clips[clip], range(1, self.clips[clip].frame_count + 1))

    def _region_features(self, seed: int) -> Iterator[Array]:
        names = sorted({question.clip for question in self.questions})
        for i in np.random.default_rng(seed).permutation(len(names)):
            if by_frame := self.regions_of(names[i]):
                yield np.concatenate([regions.features for regions in by_frame.values()])

    def _word_vectors(self, seed: int) -> Iterator[Array]:
        """Word vectors of random questions, their answers and their clips' subtitles."""
        remaining = WHITENING_SAMPLE
        for i in np.random.default_rng(seed).permutation(len(self.questions)):
            question = self.questions[i]
            texts = [*self.source.hypotheses(question), *self.source.sentences(self.clips[question.clip])]
            yield np.concatenate(texts)
            remaining -= sum(map(len, texts))
            if remaining <= 0:
                return
