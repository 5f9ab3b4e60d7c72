"""What Whisper gives to words: guards against what nobody said, languages, errors; without a real model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from stage.errors import InputError
from stage.speech import listening
from stage.speech.listening import Listener, Piece
from stage.speech.models import SpeechModel
from stage.speech.sound import RATE, SoundTrack
from stage.types import Array


@dataclass
class Spoken:
    """A word as faster-whisper gives it."""

    start: float
    end: float
    word: str
    probability: float = 0.9


@dataclass
class Segment:
    """A segment as faster-whisper gives it."""

    text: str
    start: float = 1.0
    end: float = 2.0
    avg_logprob: float = -0.3
    no_speech_prob: float = 0.1
    compression_ratio: float = 1.2
    probability: float = 0.9

    @property
    def words(self) -> list[Spoken]:
        return [Spoken(self.start, self.end, self.text, self.probability)]


@dataclass
class Info:
    language: str
    language_probability: float


class Whisper:
    """Gives these segments for each piece of sound, in these languages."""

    supported_languages = ["de", "en"]

    def __init__(self, segments: list[Segment], *infos: Info) -> None:
        self.segments, self.infos = segments, list(infos)
        self.asked: list[str | None] = []

    def transcribe(self, samples: Array, language: str | None = None, **options: Any) -> tuple[Any, Info]:
        self.asked.append(language)
        info = self.infos.pop(0) if self.infos else Info("en", 0.95)
        return iter(self.segments), info if language is None else Info(language, 1.0)


class Sound:
    """Ten seconds of sound, or ten more for each piece."""

    def blocks(self, begin: float = 0.0) -> Iterator[Array]:
        yield np.zeros(10 * RATE, np.float32)


@pytest.fixture(autouse=True)
def voices(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Where the voice detector finds somebody; the sound is one piece."""
    found = [(0.0, 10.0)]
    monkeypatch.setattr(listening, "stretches", lambda samples, options: found)
    monkeypatch.setattr(listening, "cut", lambda blocks: blocks)
    return found


def listener(whisper: Whisper, language: str | None = None) -> Listener:
    return Listener(SpeechModel("Whisper x", "", lambda: cast("Any", whisper)), language)


def heard(whisper: Whisper, language: str | None = None, before: tuple[Piece, ...] = ()) -> Piece:
    pieces = listener(whisper, language).pieces(cast("SoundTrack", Sound()), before, lambda seconds: None)
    return next(iter(pieces))


def test_certain_words_are_kept_with_the_times_of_the_film() -> None:
    piece = heard(Whisper([Segment(" Hello.")]), before=(Piece(100.0),))
    assert [(w.start, w.text) for w in piece.words] == [(101.0, " Hello.")]
    assert (piece.end, piece.language, piece.certainty) == (110.0, "en", 0.95)
    assert piece.left_out == ()


@pytest.mark.parametrize(
    "doubtful",
    [
        Segment(" a", avg_logprob=-1.2),
        Segment(" a", no_speech_prob=0.8, avg_logprob=-0.7),
        Segment(" a", compression_ratio=3.0),
        Segment(" a", probability=0.1),
        Segment(" a", avg_logprob=float("nan")),
    ],
)
def test_what_is_not_certain_is_left_out_and_its_times_kept(doubtful: Segment) -> None:
    piece = heard(Whisper([doubtful, Segment(" Yes.", 4.0, 5.0)]))
    assert [w.text for w in piece.words] == [" Yes."]
    assert piece.left_out == ((1.0, 2.0),)


def test_certain_words_outweigh_whispers_doubt_that_anybody_speaks() -> None:
    assert heard(Whisper([Segment(" Yes.", no_speech_prob=0.8, avg_logprob=-0.2)])).words


def test_loops_are_left_out() -> None:
    segments = [Segment(" I will.", float(k), k + 1.0) for k in range(5)]
    assert [w.start for w in heard(Whisper(segments)).words] == [0.0, 1.0]


def test_without_a_voice_whisper_is_not_loaded(voices: list[tuple[float, float]]) -> None:
    voices.clear()
    broken = Listener(SpeechModel("x", "", lambda: pytest.fail("loaded")))
    assert list(broken.pieces(cast("SoundTrack", Sound()), (), lambda seconds: None)) == [Piece(10.0)]


class ThreePieces(Sound):
    def blocks(self, begin: float = 0.0) -> Iterator[Array]:
        for _ in range(3):
            yield from super().blocks()


def test_a_language_that_is_sure_is_that_of_the_rest() -> None:
    whisper = Whisper([Segment(" Ja.")], Info("en", 0.3), Info("de", 0.9))
    pieces = list(listener(whisper).pieces(cast("SoundTrack", ThreePieces()), (), lambda seconds: None))
    assert whisper.asked == [None, None, "de"]
    assert [piece.language for piece in pieces] == ["en", "de", "de"]


def test_a_resumed_film_keeps_its_language() -> None:
    whisper = Whisper([Segment(" Ja.")])
    heard(whisper, before=(Piece(10.0, language="de", certainty=0.9), Piece(20.0)))
    assert whisper.asked == ["de"]


def test_a_given_language_is_certain() -> None:
    piece = heard(Whisper([Segment(" Ja.")]), "de")
    assert (piece.language, piece.certainty) == ("de", 1.0)


@pytest.mark.parametrize("language", ["xx", "english", "\x1b[2J"])
def test_a_language_that_the_model_lacks_is_refused(language: str) -> None:
    with pytest.raises(InputError, match=r"Whisper x has no such language; give one of de, en$"):
        heard(Whisper([]), language)


def test_a_model_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Whisper, samples: Array, **options: Any) -> tuple[Any, Info]:
        raise RuntimeError("axis 1 has dimension 80 but expected 128\nmore")

    monkeypatch.setattr(Whisper, "transcribe", fail)
    with pytest.raises(
        InputError, match=r"^Whisper x: fails after 0 s of sound \(axis 1 has .*128\); give another"
    ):
        heard(Whisper([]))
