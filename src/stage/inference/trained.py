"""Trained models as answerers: STAGE and the baselines"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch

from stage.data.examples import collate, make_example
from stage.features.extraction import detect_frames, encode_texts
from stage.features.names import PACKAGED_DETECTOR, VISUAL_CONCEPTS, without_digest
from stage.features.protocols import FeatureAttributes, RegionDetector, TextEncoder
from stage.features.registry import (
    cache_name,
    default_detector,
    detector_notes,
    load_detector,
    load_text_encoder,
)
from stage.features.store.film_cache import RegionCache
from stage.features.store.region_columns import RegionColumns
from stage.inference.answerer import Answerer, DataSetAnswers, OpenFilm, Setup
from stage.inference.evidence import make_evidence
from stage.inference.familiarity import looks_drawn
from stage.inference.model_folder import TrainedModel, load_model
from stage.inference.track_record import StoredRecord, believed, tempered
from stage.media.film import Film
from stage.media.video import Video, fingerprint
from stage.types import AnsweredBy, Array, ClipFeatures, Evidence, Progress, Question, Regions, TrackRecord

FRAMES_BETWEEN_SAVES = 200


def load(spec: str | Path, setup: Setup) -> TrainedAnswerer:
    """A packaged model by name, or a model folder. Raises InputError if it can't be read."""
    return TrainedAnswerer(load_model(spec), setup)


@dataclass(frozen=True, eq=False)
class TrainedAnswerer(Answerer):
    """A trained model, and how films and data sets are encoded for it."""

    model: TrainedModel
    setup: Setup = field(default_factory=Setup)

    @property
    def name(self) -> str:
        """That of the model."""
        return self.model.name

    @property
    def identity(self) -> str:
        """As in `Answerer`: by the model's files, and the detector, if it is there. Raises InputError if not."""
        return f"{self.name} {self.model.digest} {cache_name(self.detector)}"

    @cached_property
    def detector(self) -> RegionDetector:
        """The model's region detector. Raises InputError if it is unavailable.

        A model of visual concepts reads the labels of any detector: that of the setup, or else the default one, or
        the packaged one where that can't be had.
        """
        regions, chosen = self.model.features.regions, self.setup.detector
        if chosen is None and regions.startswith(VISUAL_CONCEPTS):
            return load_detector(regions, default_detector()[0])
        return load_detector(regions, chosen)

    @cached_property
    def text(self) -> TextEncoder:
        """The model's text encoder. Raises InputError if it is unavailable."""
        return load_text_encoder(self.model.features.text)

    @cached_property
    def attributes(self) -> FeatureAttributes:
        """Those of the features of films. Raises InputError if the model was trained on others."""
        # The detector first: for models of the authors' features, its message is the one that explains.
        regions, text = self.detector, self.text
        attributes = FeatureAttributes(text.name, text.dim, regions.name, regions.dim)
        self.model.check_features(attributes, "this installation")
        return attributes

    def answers(self, data: str | Path, *, for_scores: bool = False, fast: bool = False) -> DataSetAnswers:
        """As in `Answerer`."""
        from stage.data.layouts import open_questions
        from stage.inference.score import predict_all

        questions = open_questions(data, self.model.limits)
        self.model.check_features(questions.source.attributes, questions.name)
        return DataSetAnswers(
            questions.name,
            questions.questions,
            lambda: predict_all(self.model, questions, for_scores=for_scores, fast=fast),
            (*self.model.notes, *(f"{questions.name}: {note}" for note in questions.notes)),
            self.model.model.config.localises,
        )

    def look_at(
        self, film: Film, *, cache: str | Path | None = None, progress: Progress | None = None
    ) -> TrainedFilm:
        """Encode a film that is already open. Raises InputError if its frames can't be read any more."""
        folder = None if cache is None else Path(cache)
        attributes = replace(self.attributes, regions=cache_name(self.detector))
        region_cache = RegionCache(folder, attributes, fingerprint(film.video.path))
        regions = self._regions(film.video, region_cache, progress or (lambda done, total, item: None))
        words = self.encode([s.text for s in film.sentences]) if film.sentences else []
        dim = self.model.projections.region_dim(self.detector.dim)
        features = ClipFeatures(film.clip, tuple(words), regions, dim)
        record = self._record(regions.values())
        seen = (*detector_notes(self.detector), *region_cache.notes)
        notes = (*self.notes, *self._unlike(record), *film.notes, *seen)
        by = AnsweredBy(self.name, record=record.record if record else None)
        return TrainedFilm(self, film.video, film.clip, notes, features, record, answered_by=by)

    def _record(self, regions: Iterable[Regions]) -> StoredRecord | None:
        """The model's track record on films like one with these regions."""
        records = self.model.records
        if records is None:
            return None
        return records.own if self._is_familiar(regions) else records.other

    def _is_familiar(self, regions: Iterable[Regions]) -> bool:
        # People drew the boxes that models of visual concepts were trained on: no film has such.
        return without_digest(self.detector.name) == PACKAGED_DETECTOR and looks_drawn(regions)

    def _unlike(self, record: StoredRecord | None) -> tuple[str, ...]:
        """A note if the film is unlike those that the model was trained on."""
        records = self.model.records
        if records is None or record is records.own:
            return ()
        return (
            f"the film is unlike those that the model {self.name} was trained on ({records.own.kind}), so its "
            "probabilities are lowered to how often it is right on other films",
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages to the user about the model."""
        if not self.model.features.regions.startswith(VISUAL_CONCEPTS):
            return self.model.notes
        found_by = without_digest(cache_name(self.detector).partition("+")[2])
        unknown = (
            "the model was trained on labels of regions, and doesn't know which detector found them; they are found "
            f"here by {f'the packaged one ({found_by})' if found_by == PACKAGED_DETECTOR else found_by}, which may "
            "name other things"
        )
        return (*self.model.notes, unknown)

    def encode(self, texts: Sequence[str]) -> list[Array]:
        """The word vectors of each text, projected as the model expects them: (words, D_text)."""
        return self.model.projections.project_words(encode_texts(texts, self.text))

    def _regions(self, video: Video, region_cache: RegionCache, progress: Progress) -> dict[int, Regions]:
        frames = video.model_frames()
        regions, cached = RegionColumns(frames, self.detector.dim), region_cache.read()
        for frame in cached.keys() & set(frames):
            regions.put(frame, cached[frame])
        missing = [frame for frame in frames if frame not in regions]
        for done, (frame, detected) in enumerate(detect_frames(video, missing, self.detector), 1):
            regions.put(frame, detected)
            progress(done, len(missing), "frames")
            if done % FRAMES_BETWEEN_SAVES == 0 or done == len(missing):
                region_cache.keep(regions)
        return self.model.projections.project_regions(regions, self.model.limits.regions)


@dataclass(frozen=True, eq=False, repr=False)
class TrainedFilm(OpenFilm):
    """A film encoded for a trained model."""

    answerer: TrainedAnswerer
    features: ClipFeatures
    record: StoredRecord | None
    """How often the model was right on films of this kind; None if that is unknown."""

    @torch.inference_mode()
    def evidence(self, question: Question, progress: Progress | None = None) -> Evidence:
        """As in `OpenFilm`."""
        trained = self.answerer.model
        hypotheses = self.answerer.encode(question.hypotheses)
        frames = tuple(sorted(self.features.regions))
        example = make_example(question, self.features, hypotheses, frames, trained.limits)
        batch_prediction = trained.model.answer(collate([example]))
        evidence = make_evidence(
            batch_prediction,
            example,
            self.features.clip,
            trained.concepts,
            self.notes,
            trained.attention_scale,
        )
        probabilities = self._calibrated(evidence.prediction.probabilities)
        return replace(evidence, prediction=replace(evidence.prediction, probabilities=probabilities))

    def _calibrated(self, probabilities: tuple[float, ...]) -> tuple[float, ...]:
        """Probabilities as certain as the model's track record on films of this kind allows."""
        records = self.answerer.model.records
        if records is None:
            return probabilities
        if self.record is records.own:
            return tempered(probabilities, self.record.temperature)
        chance = 1 / len(probabilities)
        record = self.record.record if self.record else TrackRecord("unknown", 1, chance, chance)
        return believed(probabilities, record)
