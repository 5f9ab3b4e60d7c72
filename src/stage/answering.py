"""Ask a film: open it once, ask many questions, get each answer with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from stage.concepts import concept_words, is_content_word
from stage.errors import InputError
from stage.examples import Example, collate, make_example
from stage.extraction import Progress, detect_frames
from stage.features.cache import RegionCache
from stage.features.columns import RegionColumns
from stage.features.regions import RegionDetector, load_detector
from stage.features.store import FeatureAttributes, cache_folder
from stage.features.text import TextEncoder, load_text_encoder
from stage.layouts import release
from stage.media.film import Film, open_film
from stage.media.subtitles import tokenise
from stage.media.video import Video, fingerprint
from stage.model.stage import Answered
from stage.predicting import grounded_words, predictions_of
from stage.trained import DEFAULT_MODEL, TrainedModel, load_model
from stage.types import (
    Array,
    AttendedSentence,
    Clip,
    ClipFeatures,
    Evidence,
    Image,
    Moment,
    Prediction,
    Question,
    Regions,
    WordBoxes,
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
        if model.features.regions == release.REGION_NAME:
            raise InputError(
                f"{spec}: reads the features of the authors' release, which are not made from a film here; "
                "ask it about a folder of them, with `stage predict`"
            )
        text, detector = load_text_encoder(model.features.text), load_detector(model.features.regions)
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
        return evidence_of(answered, example, self.features.clip, model.concepts, self.notes)

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


def evidence_of(
    answered: Answered, example: Example, clip: Clip, known: Sequence[str], notes: tuple[str, ...]
) -> Evidence:
    """What the model says of the only question of a batch, with what it looked at in every frame."""
    prediction = within_film(predictions_of(answered, [example], frozenset(known))[0], clip)
    k = prediction.answer_index
    concepts = concept_words(example.question.hypotheses[k], frozenset(known))
    start, end = (p[0, k].tolist() for p in (answered.start_probabilities, answered.end_probabilities))
    regions, words = answered.grounded.region_scores, answered.grounded.subtitle_scores
    moments = []
    for t, frame in enumerate(example.frames):
        grounding: tuple[WordBoxes, ...] = ()
        if regions is not None:
            lowered = frozenset(c.lower() for c in concepts)
            found = grounded_words(example, regions[0].float().cpu().numpy(), [t], lowered, [k])
            grounding = tuple(w for w in found if w.boxes)
        attended = (
            attended_sentences(example, clip, words[0, t, k].float().cpu().numpy(), t, k)
            if words is not None
            else ()
        )
        moments.append(Moment(frame, start[t], end[t], grounding, attended))
    return Evidence(clip, example.question, prediction, concepts, tuple(moments), notes)


def within_film(prediction: Prediction, clip: Clip) -> Prediction:
    """The same with spans cut where the film ends: the last frame stands for two seconds, which it may not have."""
    return replace(prediction, spans=tuple(map(clip.cut, prediction.spans)))


def attended_sentences(
    example: Example, clip: Clip, scores: Array, t: int, k: int
) -> tuple[AttendedSentence, ...]:
    """How much the content words of hypothesis k attend to the words of a frame's sentences.

    scores: (L_h, L_s) similarity of hypothesis and subtitle words at frame position t.
    """
    length = len(example.subtitles[t])
    words = example.question.hypotheses[k].split()[: len(example.hypotheses[k])]
    rows = [i for i, word in enumerate(words) if is_content_word(word)] or list(range(len(words)))
    sharpened = np.exp(10.0 * (scores[rows, :length] - 1.0))
    weights = (sharpened / sharpened.sum(1, keepdims=True)).max(0) if length else np.zeros(0)
    attended, first = [], 0
    for i in example.sentences[t]:
        sentence = clip.sentences[i]
        mine = weights[first : first + len(sentence.words)].tolist()
        first += len(sentence.words)
        attended.append(AttendedSentence(sentence, tuple(mine + [0.0] * (len(sentence.words) - len(mine)))))
    return tuple(attended)
