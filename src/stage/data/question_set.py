"""Questions with everything that is needed to make examples of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from stage.annotation.vocabulary import object_vocabulary
from stage.data.examples import Example, Limits, make_example, training_frames
from stage.errors import InputError
from stage.features.projection import Projections, fit_projection
from stage.features.protocols import FeatureSource
from stage.types import Array, Clip, ClipFeatures, Question, Regions

WORDS_FOR_WHITENING = 50_000
"""How many word vectors of the training set it is found in, at least, if there are as many."""


class QuestionSet:
    """Questions, their clips, and the vectors of both."""

    def __init__(
        self,
        name: str,
        questions: list[Question],
        clips: Mapping[str, Clip],
        source: FeatureSource,
        limits: Limits,
        notes: Sequence[str] = (),
    ) -> None:
        """Raises InputError if a question is about an unknown clip, or has more candidates than another, or fewer.

        name: where it was read from; notes: what is irregular in it, in plain words.
        """
        self.name = name
        self.questions = questions
        self.clips = clips
        self.source = source
        self.limits = limits
        self.notes = tuple(notes)
        self.projections = Projections()
        if strangers := sorted({q.clip for q in questions} - set(clips)):
            raise InputError(
                f"{name}: no subtitles or frame count for clip {strangers[0]}, which has questions"
            )
        if not questions:
            raise InputError(f"{name}: has no questions")
        first = questions[0]
        if other := next((q for q in questions if len(q.answers) != len(first.answers)), None):
            raise InputError(
                f"{name}: question {other.qid} has {len(other.answers)} candidate answers, but {first.qid} has "
                f"{len(first.answers)}; all must have as many"
            )

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def concepts(self) -> set[str]:
        """Words (lower case) that have boxes somewhere in the set."""
        return set(object_vocabulary(self.questions))

    @property
    def text_name(self) -> str:
        return self.source.attributes.text

    @property
    def region_name(self) -> str:
        return self.source.attributes.regions

    @property
    def text_dim(self) -> int:
        return self.source.attributes.text_dim

    @property
    def region_dim(self) -> int:
        """Size of the region vectors of examples: after projection, if there is one."""
        return self.projections.region_dim(self.source.attributes.region_dim)

    def check_same_features(self, other: QuestionSet) -> None:
        """Raises InputError if the two sets were made with different encoders."""
        ours, theirs = self.source.attributes, other.source.attributes
        if ours != theirs:
            raise InputError(f"{other.name}: features are {theirs}, but those of {self.name} are {ours}")

    def answered(self) -> QuestionSet:
        """The questions whose right answer is known: those that can be trained on. Raises InputError if none is."""
        known = [q for q in self.questions if q.answer_index is not None]
        if not known:
            raise InputError(f"{self.name}: no question has an answer_idx, so there is nothing to train on")
        return QuestionSet(self.name, known, self.clips, self.source, self.limits, self.notes)

    def fit_projections(
        self, region_components: int | None, *, whiten: bool, regions_are_words: bool, seed: int
    ) -> None:
        """Find the principal components of the set's features, and use them from now on.

        region_components: how many of regions; none leaves them all, or regions as they are if they aren't whitened.
        regions_are_words: regions go through what words go through.
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
        """How much work each question is, for putting like ones together: frames times words."""
        return [
            self.clips[q.clip].frame_count * (len(q.text.split()) + max(len(a.split()) for a in q.answers))
            for q in self.questions
        ]

    def example(self, index: int) -> Example:
        """A question as vectors. Raises InputError if its features are not there or can't be read."""
        question = self.questions[index]
        clip = self.clips[question.clip]
        frames = training_frames(question, clip, self.limits)
        through = self.projections
        regions = through.of_regions(self.source.regions(clip, frames), self.limits.regions)
        words = tuple(through.of_words(self.source.sentences(clip)))
        features = ClipFeatures(clip, words, regions, self.region_dim)
        hypotheses = through.of_words(self.source.hypotheses(question))
        return make_example(question, features, hypotheses, frames, self.limits)

    def regions_of(self, clip: str) -> Mapping[int, Regions]:
        """The regions of all frames of a clip that there are, as the detector gave them."""
        return self.source.regions(self.clips[clip], range(1, self.clips[clip].frame_count + 1))

    def _region_features(self, seed: int) -> Iterator[Array]:
        names = sorted({question.clip for question in self.questions})
        for i in np.random.default_rng(seed).permutation(len(names)):
            if found := self.regions_of(names[i]):
                yield np.concatenate([regions.features for regions in found.values()])

    def _word_vectors(self, seed: int) -> Iterator[Array]:
        """Those of some questions, with their answers and subtitles."""
        left = WORDS_FOR_WHITENING
        for i in np.random.default_rng(seed).permutation(len(self.questions)):
            question = self.questions[i]
            texts = [*self.source.hypotheses(question), *self.source.sentences(self.clips[question.clip])]
            yield np.concatenate(texts)
            left -= sum(map(len, texts))
            if left <= 0:
                return
