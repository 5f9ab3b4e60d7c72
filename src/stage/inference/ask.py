"""Ask questions about a film: `Answerer` encodes it once, `OpenFilm` answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from stage.data.examples import collate, make_example
from stage.errors import InputError
from stage.features.extraction import detect_frames, encode_texts
from stage.features.names import VISUAL_CONCEPTS
from stage.features.protocols import FeatureAttributes, RegionDetector, TextEncoder
from stage.features.registry import load_detector, load_text_encoder
from stage.features.store.clip_file import shown
from stage.features.store.film_cache import RegionCache
from stage.features.store.region_columns import RegionColumns
from stage.inference.evidence import make_evidence
from stage.inference.model_folder import DEFAULT_MODEL, TrainedModel, load_model
from stage.media.film import Film, open_film
from stage.media.subtitles import tokenise
from stage.media.video import Video, fingerprint
from stage.types import Array, ClipFeatures, Evidence, Image, Progress, Question, Regions
from stage.wording import counted

FRAMES_BETWEEN_SAVES = 200


@dataclass(frozen=True, eq=False)
class Answerer:
    """A trained model with its text encoder and region detector."""

    model: TrainedModel
    text: TextEncoder
    detector: RegionDetector

    @classmethod
    def from_pretrained(cls, spec: str | Path = DEFAULT_MODEL) -> Answerer:
        """Load a model folder, or a packaged model by name. Raises InputError if its encoders are unavailable."""
        model = load_model(spec)
        # The detector first: for models of the authors' features, its message is the one that explains.
        detector, text = load_detector(model.features.regions), load_text_encoder(model.features.text)
        attributes = FeatureAttributes(text.name, text.dim, detector.name, detector.dim)
        model.check_features(attributes, "this installation")
        return cls(model, text, detector)

    def open(
        self,
        video: str | Path,
        subtitles: str | Path | None = None,
        *,
        cache: str | Path | None = None,
        progress: Progress | None = None,
    ) -> OpenFilm:
        """Open a film and encode it. Without a subtitle file, the film's own subtitle track is read, if it has one.

        Regions are stored in `cache` (by default the user's cache folder), so that a film is encoded only once.
        Raises InputError if either file can't be used, or the subtitles are those of another film.
        """
        return self.look_at(open_film(video, subtitles), cache=cache, progress=progress)

    def look_at(
        self, film: Film, *, cache: str | Path | None = None, progress: Progress | None = None
    ) -> OpenFilm:
        """Encode a film that is already open. Raises InputError if its frames can't be read any more."""
        attributes = FeatureAttributes(self.text.name, self.text.dim, self.detector.name, self.detector.dim)
        folder = None if cache is None else Path(cache)
        region_cache = RegionCache(folder, attributes, fingerprint(film.video.path))
        regions = self._regions(film.video, region_cache, progress or (lambda done, total, item: None))
        words = self.encode([s.text for s in film.sentences]) if film.sentences else []
        dim = self.model.projections.region_dim(self.detector.dim)
        features = ClipFeatures(film.clip, tuple(words), regions, dim)
        return OpenFilm(self, film.video, features, (*self.notes, *film.notes, *region_cache.notes))

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages to the user about the model."""
        if not self.model.features.regions.startswith(VISUAL_CONCEPTS):
            return self.model.notes
        unknown = (
            "the model was trained on labels of regions, and doesn't know which detector found them; "
            "they are found here by the packaged one, which may name other things"
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


@dataclass(frozen=True, eq=False)
class OpenFilm:
    """An encoded film. Questions about it are cheap."""

    answerer: Answerer
    film: Video
    features: ClipFeatures
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        clip = self.features.clip
        return f"OpenFilm({str(self.film.path)!r}, {clip.duration:.1f} s, {counted(len(clip.sentences), 'sentence')})"

    @torch.inference_mode()
    def ask(self, question: str, answers: Sequence[str]) -> Evidence:
        """Choose among two or more candidate answers, with evidence. Raises InputError if there are fewer."""
        text, candidates = tokenise_question(question, answers)
        return self.ask_question(Question(0, self.features.clip.name, text, candidates))

    @torch.inference_mode()
    def ask_question(self, question: Question) -> Evidence:
        """Like `ask`, but for a question of a data set, which may carry ground truth."""
        trained = self.answerer.model
        hypotheses = self.answerer.encode(question.hypotheses)
        frames = tuple(sorted(self.features.regions))
        example = make_example(question, self.features, hypotheses, frames, trained.limits)
        batch_prediction = trained.model.answer(collate([example]))
        return make_evidence(
            batch_prediction,
            example,
            self.features.clip,
            trained.concepts,
            self.notes,
            trained.attention_scale,
        )

    def pictures(self, frames: Sequence[int], longest_side: int = 640) -> dict[int, Image]:
        """Numbered frame -> image, (height, width, 3) RGB; the longer side has at most `longest_side` pixels.

        Raises InputError naming the frames that lie outside the film, or if the film can't be read any more.
        """
        count = self.film.frame_count
        if outside := sorted({frame for frame in frames if not 1 <= frame <= count}):
            raise InputError(
                f"{self.film.path}: has no {shown(outside)}; its frames are numbered from 1 to {count} (3 per second)"
            )
        return dict(self.film.frames(sorted(set(frames)), longest_side=longest_side))


def tokenise_question(question: str, answers: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Question and answers, tokenised.

    Raises InputError if one is empty or no text, there are fewer than two answers, or two differ in signs alone.
    """
    if isinstance(answers, str):
        raise InputError(f"the answers are one text, {answers!r}; give a list of two or more")
    if strange := [given for given in (question, *answers) if not isinstance(given, str)]:
        raise InputError(
            f"question and answers have to be texts, but one is {strange[0]!r}; write it as a string"
        )
    text = tokenise(question)
    if not text:
        raise InputError("the question is empty; write one, such as --question 'Who is at the door ?'")
    candidates = tuple(tokenise(answer) for answer in answers)
    if len(candidates) < 2:
        raise InputError(f"{counted(len(candidates), 'candidate answer')} given; give two or more")
    for i, candidate in enumerate(candidates):
        if not candidate:
            raise InputError(f"candidate answer {i + 1} is empty; fill it in or leave it out")
        first = candidates.index(candidate)
        if answers[first].split() != answers[i].split():
            raise InputError(
                f"candidate answers {first + 1} and {i + 1} are both {candidate!r} to the model, which reads no "
                "dashes, brackets and quotation marks; put the difference into words"
            )
    return text, candidates
