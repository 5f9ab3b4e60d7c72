"""Question sets: questions with their clips and features, ready for examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from stage.annotation.clip_checks import suggestion
from stage.annotation.labels import frames_of_question
from stage.annotation.vocabulary import object_vocabulary
from stage.data.examples import Example, Limits, make_example
from stage.data.fingerprint import DataFingerprint, fingerprint_of
from stage.data.windows import training_window, window_notes
from stage.errors import InputError
from stage.features.projection import Projections, fit_projection
from stage.features.protocols import FeatureSource
from stage.types import Array, Clip, ClipFeatures, Question, Regions
from stage.wording import counted

WHITENING_SAMPLE = 50_000
"""Word vectors of the training set that whitening is fitted on, at least, if there are as many."""


@dataclass(frozen=True, eq=False)
class QuestionSet:
    """Questions with their clips and features. Nothing in it changes: other questions or projections are another set.

    Raises InputError if there are no questions, a question is about an unknown clip, or the number of candidate
    answers differs.
    """

    name: str
    """Where the set was read from."""
    questions: Sequence[Question]
    clips: Mapping[str, Clip]
    source: FeatureSource
    limits: Limits
    notes: tuple[str, ...] = ()
    """Messages to the user about issues of the set."""
    projections: Projections = field(default_factory=Projections)
    """How the features of its examples are projected."""
    last_frame: int | None = None
    """The release's rule: `LAST_FRAME` for released data, where no later frame is read and the times of longer clips
    are scaled down; None for others, which are read to the clip's end."""

    def __post_init__(self) -> None:
        name, questions = self.name, self.questions
        if unknown := sorted({q.clip for q in questions} - set(self.clips)):
            raise InputError(
                f"{name}: no subtitles or frame count for clip {unknown[0]}"
                f"{suggestion(unknown[0], self.clips)}, which has questions; correct their vid_name"
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
        """The questions with a known right answer, which can be trained on. Raises InputError if there are none.

        Notes say how many of them are trained on a part of their clip.
        """
        labelled = [q for q in self.questions if q.answer_index is not None]
        if not labelled:
            raise InputError(f"{self.name}: no question has an answer_idx, so there is nothing to train on")
        notes = window_notes(self.name, labelled, self.clips, self.limits.frames, self.last_frame)
        return replace(self, questions=labelled, notes=(*self.notes, *notes))

    def with_projections(self, projections: Projections) -> QuestionSet:
        """The same questions with features as a model reads them: two models can read one set in turn."""
        return replace(self, projections=projections)

    def fit_projections(
        self, region_components: int | None, *, whiten: bool, regions_are_words: bool, seed: int
    ) -> Projections:
        """Fit PCA projections on the features of the set as its source has them.

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
        return Projections(words, regions)

    def fingerprint(self) -> DataFingerprint:
        """Hashes of all that a model can learn from the set: questions, labels, clips and features."""
        features = self.source.fingerprint({question.clip for question in self.questions})
        rules = {**self.limits.model_dump(mode="json"), "last_frame": self.last_frame}
        return fingerprint_of(self.questions, self.clips, features, rules)

    def sizes(self) -> list[int]:
        """The size of each question, for batching: frames times words."""
        return [
            self.clips[q.clip].frame_count * (len(q.text.split()) + max(len(a.split()) for a in q.answers))
            for q in self.questions
        ]

    def frames_of(self, question: Question) -> tuple[int, ...]:
        """The numbered frames that are read for a question at inference: all, however long its clip is."""
        return frames_of_question(question, self.clips[question.clip].frame_count, self.last_frame)

    def example(self, index: int, *, training: bool = False) -> Example:
        """A question with its features. Raises InputError if they are missing or can't be read.

        training: of clips longer than the limits, only a part that contains the span.
        """
        question = self.questions[index]
        clip = self.clips[question.clip]
        if training:
            question, frames = training_window(question, clip, self.limits.frames, self.last_frame)
        else:
            frames = self.frames_of(question)
        projections = self.projections
        regions = projections.project_regions(self.source.regions(clip, frames), self.limits.regions)
        words = tuple(projections.project_words(self.source.sentences(clip)))
        features = ClipFeatures(clip, words, regions, self.region_dim)
        hypotheses = projections.project_words(self.source.hypotheses(question))
        if not any(map(len, hypotheses)):
            raise InputError(
                f"{self.name}, question {question.qid}: has no word vectors; compute its features again"
            )
        return make_example(question, features, hypotheses, frames, self.limits, self.last_frame)

    def regions_of(self, clip: str) -> Mapping[int, Regions]:
        """The regions of all frames of a clip that a detector has seen, by numbered frame, before projection."""
        return self.source.all_regions(self.clips[clip])

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
