"""Films heard for real: what is said and when, silence, caches, interruptions, and what can't be heard."""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from films import write_film
from samples.speech import VOICE_RATE, needs_whisper, noise, placed, spoken, write_sounding_film
from stage.errors import InputError
from stage.media.film import open_film
from stage.speech import subtitles_of_sound, transcript, voice
from stage.speech.models import SpeechModel, find_model
from stage.types import Array

SENTENCES = (
    "Did you bring the blue suitcase?",
    "No, I left it at the hotel.",
    "Please close the door behind you.",
)
STARTS = (1.0, 5.0, 9.0)
SECONDS = 13.0


def loud_part(sound: Array) -> Array:
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    return sound[loud[0] : loud[-1] + 1]


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> Array:
    needs_whisper()
    folder = tmp_path_factory.mktemp("voices")
    parts = {t: loud_part(spoken(folder, s)) for t, s in zip(STARTS, SENTENCES, strict=True)}
    return placed(parts, SECONDS)


@pytest.fixture(scope="module")
def film(dialogue: Array, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sounding_film(tmp_path_factory.mktemp("films") / "said.mp4", dialogue, seconds=SECONDS)


@pytest.fixture(scope="module")
def heard(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the film has been heard."""
    cache = tmp_path_factory.mktemp("cache")
    seen: list[tuple[int, int, str]] = []
    subtitles_of_sound(film, cache=cache, progress=lambda *step: seen.append(step))
    assert seen[-1] == (13, 13, "seconds of sound")
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    return cache


@pytest.fixture
def not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading the model fails the test."""

    def load() -> NoReturn:
        pytest.fail("the model was loaded")

    model = find_model()
    monkeypatch.setattr(transcript, "find_model", lambda spec: SpeechModel(model.name, model.identity, load))


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-záéíóú]+", text.lower())


def share_found(said: str, heard: str) -> float:
    """The share of the words that were said that were heard, in order."""
    words = words_of(said)
    matcher = SequenceMatcher(None, words, words_of(heard), autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(words)


@pytest.mark.slow
def test_what_is_said_is_found_with_its_times(film: Path, heard: Path) -> None:
    result = subtitles_of_sound(film, cache=heard)
    assert result.language == "en"
    assert any("Whisper base heard, in the language en" in note for note in result.notes)
    assert share_found(" ".join(SENTENCES), " ".join(cue.markup for cue in result.cues)) >= 0.8
    assert [cue.start for cue in result.cues] == pytest.approx(STARTS, abs=0.2)
    assert all(cue.end - cue.start < 3.5 for cue in result.cues)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_cached_file_is_read_as_the_films_subtitles(film: Path, heard: Path) -> None:
    result = subtitles_of_sound(film, cache=heard)
    opened = open_film(film, result.path)
    assert opened.notes == ()
    assert [s.start for s in opened.sentences] == pytest.approx(STARTS, abs=0.2)


@pytest.mark.slow
@pytest.mark.usefixtures("not_loaded")
def test_a_film_that_was_heard_is_not_heard_again_under_any_name(
    film: Path, heard: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other name.mp4"
    other.write_bytes(film.read_bytes())
    result = subtitles_of_sound(other, cache=heard)
    assert len(result.cues) == 3


@pytest.mark.slow
def test_sound_that_begins_two_seconds_later_is_heard_two_seconds_later(
    dialogue: Array, tmp_path: Path
) -> None:
    film = write_sounding_film(tmp_path / "f.mkv", dialogue, seconds=SECONDS + 2, sound_from=2)
    result = subtitles_of_sound(film, cache=tmp_path / "cache")
    assert [cue.start for cue in result.cues] == pytest.approx([start + 2 for start in STARTS], abs=0.2)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_another_language_is_detected(tmp_path: Path) -> None:
    needs_whisper()
    text = (
        "Buenos días, señora. ¿Dónde está la biblioteca? Tengo que devolver tres libros antes de las cinco."
    )
    film = write_sounding_film(
        tmp_path / "f.mp4", placed({1.0: spoken(tmp_path, text, "es")}, 10), seconds=10
    )
    result = subtitles_of_sound(film, cache=tmp_path / "cache")
    assert result.language == "es"
    assert share_found(text, " ".join(cue.markup for cue in result.cues)) >= 0.6


@pytest.mark.slow
@pytest.mark.parametrize("sound", ["silence", "noise", "tone"])
@pytest.mark.usefixtures("not_loaded")
def test_where_nobody_speaks_nothing_is_written(sound: str, tmp_path: Path) -> None:
    samples = {
        "silence": np.zeros(VOICE_RATE * 20, np.float32),
        "noise": noise(20, 0.2),
        "tone": (0.5 * np.sin(np.arange(VOICE_RATE * 20) * 0.1)).astype(np.float32),
    }[sound]
    film = write_sounding_film(tmp_path / "f.mkv", samples, seconds=20, codec="pcm_s16le")
    result = subtitles_of_sound(film, cache=tmp_path / "cache")
    assert result.path is None
    assert (result.language, result.cues) == ("", ())
    assert result.has_sound
    assert "nobody was heard to speak in the film" in result.notes


def test_a_film_without_sound_needs_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "find_model", lambda spec: pytest.fail("a model was looked for"))
    result = subtitles_of_sound(write_film(tmp_path / "f.mp4", [0.0, 1.0]), cache=tmp_path)
    assert (result.path, result.has_sound) == (None, False)
    assert result.notes == (transcript.NO_SOUND,)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_damaged_cache_is_heard_again_and_noted(film: Path, heard: Path, tmp_path: Path) -> None:
    (record,) = (heard / "speech").glob("*.json")
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / record.name).write_text('{"version": 1, "pieces"')
    result = subtitles_of_sound(film, cache=tmp_path)
    assert len(result.cues) == 3
    assert any("is damaged, and made anew" in note for note in result.notes)
    assert json.loads((tmp_path / "speech" / record.name).read_text()) == json.loads(record.read_text())


@pytest.mark.slow
@pytest.mark.usefixtures("not_loaded")
def test_a_damaged_or_missing_subtitle_file_is_written_again(film: Path, heard: Path) -> None:
    path = subtitles_of_sound(film, cache=heard).path
    assert path is not None
    good = path.read_text("utf-8")
    path.write_text("1\n00:00:0")
    assert subtitles_of_sound(film, cache=heard).path == path
    assert path.read_text("utf-8") == good
    path.unlink()
    subtitles_of_sound(film, cache=heard)
    assert path.read_text("utf-8") == good


@pytest.mark.exhaustive
@pytest.mark.slow
def test_where_nothing_can_be_cached_the_subtitles_are_there_all_the_same(film: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    result = subtitles_of_sound(film, cache=tmp_path / "file")
    assert len(open_film(film, result.path).sentences) == 3
    assert any("what was heard is not cached" in note for note in result.notes)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_interrupted_film_is_resumed_where_it_was(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "PIECE", 6)
    monkeypatch.setattr(voice, "SEARCHED", 4)
    begun: list[float] = []
    blocks = transcript.SoundTrack.blocks

    def recorded(self: transcript.SoundTrack, begin: float = 0.0) -> Any:
        begun.append(begin)
        return blocks(self, begin)

    monkeypatch.setattr(transcript.SoundTrack, "blocks", recorded)

    def interrupt(done: int, total: int, item: str) -> None:
        if done >= 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        subtitles_of_sound(film, cache=tmp_path, progress=interrupt)
    assert not list((tmp_path / "speech").glob("*.srt"))
    result = subtitles_of_sound(film, cache=tmp_path)
    assert begun[0] == 0.0
    assert 2.0 < begun[1] <= 6.0
    assert [cue.start for cue in result.cues] == pytest.approx(STARTS, abs=0.2)
    assert not any("damaged" in note for note in result.notes)


@pytest.mark.slow
def test_a_language_that_whisper_lacks_is_refused(film: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^'xx': Whisper base has no such language; give one of af, am,"):
        subtitles_of_sound(film, cache=tmp_path, language="xx")
