"""Listening: pieces of sound to words, with what is no speech left out before Whisper hears it and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stage.errors import InputError, first_line
from stage.speech.models import SpeechModel
from stage.speech.sentences import Word, repeated
from stage.speech.sound import RATE, SoundTrack
from stage.speech.voice import EXACT, HEARD, at_voice, cut, stretches
from stage.types import Array
from stage.wording import counted, quoted

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

TEMPERATURES = (0.0, 0.2, 0.4)
"""Sound that is heard without certainty is heard again with words drawn at these; above, they are invented."""
LEAST_LOG_PROBABILITY = -1.0
"""Mean log probability of the tokens of a segment that is kept."""
MOST_NO_SPEECH = 0.6
"""Whisper's probability that nobody speaks, above which a segment must be more certain."""
LEAST_IF_NO_SPEECH = -0.5
"""Its mean log probability then."""
MOST_REPETITION = 2.4
"""A segment whose text compresses better says the same again and again."""
LEAST_PROBABILITY = 0.25
"""Mean probability of the words of a segment that is kept."""
MOST_TEXT = 200
"""Characters of a word."""
SURE_OF_LANGUAGE = 0.5
"""The probability from which on a detected language is that of the rest of the film."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What was heard in a piece of a film's sound."""

    end: float
    """When it ends, in seconds of the film; the next one begins there."""
    words: tuple[Word, ...] = ()
    left_out: tuple[tuple[float, float], ...] = ()
    """From when to when something was heard, but not with certainty."""
    language: str = ""
    """Code of the language, such as "en"; empty if nobody speaks."""
    certainty: float = 0.0
    """The probability of that language; 1 if it was given."""


class Listener:
    """Hears pieces of sound one after the other. Whisper is loaded when somebody first speaks."""

    def __init__(self, model: SpeechModel, language: str | None = None) -> None:
        """language: a code of Whisper's, such as "en"; detected if None."""
        self._model = model
        self._given = self._language = language or None
        self._whisper: WhisperModel | None = None

    def pieces(
        self, sound: SoundTrack, before: Sequence[Piece], heard: Callable[[float], None]
    ) -> Iterator[Piece]:
        """The pieces of a film's sound after those that were heard before.

        heard: called with the seconds of the film that have been heard. Raises InputError if the model can't be
        loaded, fails, or has no such language.
        """
        begin = before[-1].end if before else 0.0
        sure = [piece.language for piece in before if piece.certainty >= SURE_OF_LANGUAGE]
        self._language = self._given or (sure[0] if sure else None)
        for samples in cut(sound.blocks(begin)):
            piece = self._hear(samples, begin, heard)
            begin = piece.end
            heard(begin)
            yield piece

    def _hear(self, samples: Array, begin: float, heard: Callable[[float], None]) -> Piece:
        end = begin + len(samples) / RATE
        if not stretches(samples, HEARD):
            return Piece(end)
        whisper = self._loaded()
        found = []
        try:
            segments, info = whisper.transcribe(
                samples,
                language=self._language,
                language_detection_segments=4,
                temperature=TEMPERATURES,
                condition_on_previous_text=False,  # else one error is repeated from there on
                word_timestamps=True,
                vad_filter=True,
                vad_parameters=dict(HEARD),
            )
            for segment in segments:
                found.append(segment)
                heard(begin + min(float(segment.end), end - begin))
        except (RuntimeError, ValueError) as error:  # of CTranslate2
            raise InputError(
                f"{self._model.name}: fails after {begin:.0f} s of sound ({first_line(error)}); give another model"
            ) from None
        certainty = 1.0 if self._given else float(info.language_probability)
        if certainty >= SURE_OF_LANGUAGE:
            self._language = info.language
        loops = repeated([segment.text for segment in found])
        kept = [_is_certain(segment) and not loop for segment, loop in zip(found, loops, strict=True)]
        spoken = [
            Word(float(word.start), float(word.end), str(word.word)[:MOST_TEXT])
            for segment, keep in zip(found, kept, strict=True)
            if keep
            for word in segment.words or ()
        ]
        placed = at_voice(spoken, stretches(samples, EXACT))
        words = tuple(Word(begin + word.start, begin + word.end, word.text) for word in placed)
        left_out = tuple(
            (begin + float(segment.start), begin + float(segment.end))
            for segment, keep in zip(found, kept, strict=True)
            if not keep
        )
        return Piece(end, words, left_out, info.language if words else "", certainty if words else 0.0)

    def _loaded(self) -> WhisperModel:
        if self._whisper is None:
            whisper = self._model.load()
            known = whisper.supported_languages
            if self._given and self._given not in known:
                raise InputError(
                    f"{quoted(self._given)}: {self._model.name} has no such language; give one of "
                    f"{', '.join(sorted(known))}"
                )
            self._whisper = whisper
        return self._whisper


def _is_certain(segment: Any) -> bool:
    """Whether a segment of faster-whisper's is speech, as far as its model can tell."""
    probabilities = [word.probability for word in segment.words or ()]
    least = LEAST_IF_NO_SPEECH if segment.no_speech_prob > MOST_NO_SPEECH else LEAST_LOG_PROBABILITY
    return bool(
        segment.avg_logprob >= least
        and segment.compression_ratio <= MOST_REPETITION
        and probabilities
        and np.mean(probabilities) >= LEAST_PROBABILITY
    )


def uncertain_note(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """A message to the user about what was heard without certainty, if there is any."""
    places = [f"{a:.0f} to {b:.0f} s" for piece in pieces for a, b in piece.left_out]
    if not places:
        return ()
    shown = ", ".join(places[:5]) + (f" and {len(places) - 5} more" if len(places) > 5 else "")
    return (f"{counted(len(places), 'stretch', 'stretches')} of sound not understood and left out: {shown}",)
