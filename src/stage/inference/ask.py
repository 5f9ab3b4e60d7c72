"""Ask a film: open it once, ask many questions, get each answer with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from stage.data.examples import collate, make_example
from stage.errors import InputError
from stage.features.extraction import detect_frames
from stage.features.protocols import FeatureAttributes, RegionDetector, TextEncoder
from stage.features.registry import load_detector, load_text_encoder
from stage.features.store.cache_folder import cache_folder
from stage.features.store.film_cache import RegionCache
from stage.features.store.region_columns import RegionColumns
from stage.inference.evidence import make_evidence
from stage.inference.model_folder import DEFAULT_MODEL, TrainedModel, load_model
from stage.media.film import Film, open_film
from stage.media.subtitles import tokenise
from stage.media.video import Video, fingerprint
from stage.types import (
    Array,
    ClipFeatures,
    Evidence,
    Image,
    Progress,
    Question,
    Regions,
)

FRAMES_BETWEEN_SAVES = 200


@dataclass(frozen=True)
class Answerer:
    """A trained model with the encoders that it was made for."""

    model: TrainedModel
    text: TextEncoder
    detector: RegionDetector

    @classmethod
    def from_pretrained(cls, spec: str | Path = DEFAULT_MODEL) -> Answerer:
        """A packaged model by name, or a model folder. Raises InputError if its encoders can't be had."""
        model = load_model(spec)
        # The detector first: of the authors' released features neither can be computed.
        detector, text = load_detector(model.features.regions), load_text_encoder(model.features.text)
        attributes = FeatureAttributes(text.name, text.dim, detector.name, detector.dim)
        model.check_features(attributes, "this installation")
        return cls(model, text, detector)

    def open(
        self,
        video: str | Path,
        subtitles: str | Path | None = None,
        *,
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> OpenFilm:
        """Look at a film once. Without a subtitle file the film's own subtitle track is read, if it has one.

        Regions are kept in `cache` (by default the user's cache folder), so that a film is looked at once only.
        Raises InputError if either file can't be used, or the subtitles are those of another film.
        """
        return self.look_at(open_film(video, subtitles), cache=cache, progress=progress)

    def look_at(self, film: Film, *, cache: Path | None = None, progress: Progress | None = None) -> OpenFilm:
        """The same for a film that is open already. Raises InputError if its pictures can't be read any more."""
        names = FeatureAttributes(self.text.name, self.text.dim, self.detector.name, self.detector.dim)
        kept = RegionCache(cache or cache_folder(), names, fingerprint(film.video.path))
        regions = self._regions(film.video, kept, progress or (lambda done, of, what: None))
        words = self.encode([s.text for s in film.sentences]) if film.sentences else []
        dim = self.model.projections.region_dim(self.detector.dim)
        features = ClipFeatures(film.clip, tuple(words), regions, dim)
        return OpenFilm(self, film.video, features, (*film.notes, *kept.notes))

    def encode(self, texts: Sequence[str]) -> list[Array]:
        """The words of each text as the model reads them: (words, D)"""
        return self.model.projections.of_words(self.text.encode(texts))

    def _regions(self, video: Video, kept: RegionCache, progress: Progress) -> dict[int, Regions]:
        frames = video.model_frames(limit=None)
        regions, known = RegionColumns(frames, self.detector.dim), kept.read()
        for frame in known.keys() & set(frames):
            regions.put(frame, known[frame])
        missing = [frame for frame in frames if frame not in regions]
        for done, (frame, found) in enumerate(detect_frames(video, missing, self.detector), 1):
            regions.put(frame, found)
            progress(done, len(missing), "frames")
            if done % FRAMES_BETWEEN_SAVES == 0 or done == len(missing):
                kept.keep(regions)
        return self.model.projections.of_regions(regions, self.model.limits.regions)


@dataclass(frozen=True)
class OpenFilm:
    """A film that has been looked at. Questions are cheap from here on."""

    answerer: Answerer
    film: Video
    features: ClipFeatures
    notes: tuple[str, ...]

    @torch.inference_mode()
    def ask(self, question: str, answers: Sequence[str]) -> Evidence:
        """Which of two or more candidate answers is right, and what shows it."""
        text, candidates = checked(question, answers)
        return self.ask_question(Question(0, self.features.clip.name, text, candidates))

    @torch.inference_mode()
    def ask_question(self, question: Question) -> Evidence:
        """The same for a question of a data set, of which the truth may be known."""
        model = self.answerer.model
        hypotheses = self.answerer.encode(question.hypotheses)
        frames = tuple(sorted(self.features.regions))
        example = make_example(question, self.features, hypotheses, frames, model.limits)
        answered = model.stage.answer(collate([example]))
        return make_evidence(answered, example, self.features.clip, model.concepts, self.notes)

    def pictures(self, frames: Sequence[int], longest_side: int = 640) -> dict[int, Image]:
        """Pictures of numbered frames."""
        return dict(self.film.frames(sorted(set(frames)), longest_side=longest_side))


def checked(question: str, answers: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Question and answers as the model reads them. Raises InputError if there is nothing to choose from."""
    text = tokenise(question)
    if not text:
        raise InputError("the question is empty; write one, such as --question 'Who is at the door ?'")
    candidates = tuple(tokenise(answer) for answer in answers)
    if len(candidates) < 2:
        raise InputError(f"{len(candidates)} candidate answer given; give two or more to choose from")
    for i, candidate in enumerate(candidates):
        if not candidate:
            raise InputError(f"candidate answer {i + 1} is empty; write it out or leave it away")
    return text, candidates
