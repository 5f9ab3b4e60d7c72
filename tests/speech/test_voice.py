"""Words moved to where the voice begins and ends; long sound cut where nobody speaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samples.speech import VOICE_RATE, needs_whisper, placed, spoken
from stage.speech import voice
from stage.speech.sentences import Word
from stage.speech.sound import RATE
from stage.speech.voice import EXACT, at_voice, stretches
from stage.types import Array


def at_16_khz(sound: Array) -> Array:
    places = np.arange(0, len(sound), VOICE_RATE / RATE)
    return np.interp(places, np.arange(len(sound)), sound).astype(np.float32)


def times(words: list[Word]) -> list[tuple[float, float]]:
    return [(word.start, word.end) for word in words]


def test_a_word_begins_with_the_voice_and_not_in_the_silence_before() -> None:
    assert times(at_voice([Word(2.0, 3.5, "Yes")], [(0.0, 1.0), (3.0, 3.5)])) == [(3.0, 3.5)]


def test_a_word_ends_with_the_voice() -> None:
    assert times(at_voice([Word(2.0, 2.8, "Yes")], [(2.0, 3.0)])) == [(2.0, 3.0)]
    assert times(at_voice([Word(2.0, 4.5, "Yes")], [(2.0, 3.0), (5.0, 6.0)])) == [(2.0, 3.0)]


def test_an_end_is_not_moved_far_or_into_the_next_word() -> None:
    assert times(at_voice([Word(2.0, 2.5, "Yes")], [(2.0, 3.0)])) == [(2.0, 2.5)]
    words = [Word(2.0, 2.8, "Yes"), Word(2.9, 3.0, "sir")]
    assert times(at_voice(words, [(2.0, 3.0)])) == [(2.0, 2.8), (2.9, 3.0)]


def test_a_word_that_begins_in_the_last_breath_of_the_sentence_before_is_moved_to_its_own() -> None:
    assert times(at_voice([Word(1.9, 3.4, "There")], [(0.0, 2.0), (3.0, 3.5)])) == [(3.0, 3.5)]


def test_a_word_that_opens_a_sentence_is_spoken_after_the_pause() -> None:
    voices = [(0.0, 2.5), (3.0, 3.3)]
    words = [Word(1.0, 1.9, " boat?"), Word(1.9, 3.2, " There")]
    assert times(at_voice(words, voices))[1] == (3.0, 3.3)
    words = [Word(1.0, 1.9, " the"), Word(1.9, 3.2, " boat")]
    assert times(at_voice(words, voices))[1][0] == 1.9


def test_a_stop_within_a_word_cuts_nothing_off() -> None:
    assert times(at_voice([Word(1.0, 2.0, "backpack")], [(0.9, 1.4), (1.5, 2.0)])) == [(1.0, 2.0)]


def test_words_without_any_voice_stay() -> None:
    assert times(at_voice([Word(1.0, 2.0, "Hm")], [])) == [(1.0, 2.0)]
    assert at_voice([], [(0.0, 1.0)]) == []


@pytest.mark.slow
def test_a_voice_is_found_where_it_is(tmp_path: Path) -> None:
    needs_whisper()
    sound = spoken(tmp_path, "The train from London was late again.")
    sound = sound[np.flatnonzero(np.abs(sound) > 0.02)[0] :]
    at_16_khz = placed(
        {2.0: np.interp(np.arange(0, len(sound), 22_050 / RATE), np.arange(len(sound)), sound)}, 6, RATE
    )
    found = stretches(at_16_khz, EXACT)
    assert found[0][0] == pytest.approx(2.0, abs=0.15)
    assert not stretches(np.zeros(RATE * 5, np.float32), EXACT)


@pytest.mark.slow
def test_long_sound_is_cut_in_its_pauses_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_whisper()
    monkeypatch.setattr(voice, "PIECE", 12)
    monkeypatch.setattr(voice, "SEARCHED", 6)
    sentence = at_16_khz(
        spoken(tmp_path, "We need to find the red key before it rains, or else we are lost.")
    )
    length = len(sentence) / RATE
    starts = [k * (length + 2.0) for k in range(5)]
    sound = placed(dict.fromkeys(starts, sentence), starts[-1] + length, RATE)
    pieces = list(voice.cut(iter(np.array_split(sound, 37))))
    assert np.array_equal(np.concatenate(pieces), sound)
    assert max(map(len, pieces)) <= 12 * RATE
    cuts = np.cumsum([len(piece) for piece in pieces])[:-1] / RATE
    assert len(cuts)
    for cut in cuts:
        assert any(start + length - 0.1 <= cut <= start + length + 2.1 for start in starts), cut
