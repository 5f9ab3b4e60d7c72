"""The transcript of a film: heard once, cached by content, as a subtitle file that films are opened with."""

from __future__ import annotations

import atexit
import hashlib
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import mkdtemp

from stage.errors import InputError
from stage.features.store.cache_folder import cache_folder
from stage.io import write_text
from stage.media.cues import Cue
from stage.media.video import Video, fingerprint, open_video
from stage.speech import listening, voice
from stage.speech.listening import Listener, uncertain_note
from stage.speech.models import SpeechModel, find_model
from stage.speech.record import Record, languages, read_record, remove_record, write_record
from stage.speech.sentences import subtitles
from stage.speech.sound import SoundTrack, sound_track
from stage.speech.subtitle_file import subtitle_text
from stage.types import Progress
from stage.wording import percentage

FOLDER = "speech"
"""In the user's cache folder."""
NO_SOUND = "the film has no sound track that can be decoded, so that nothing can be heard"
NO_SPEECH = "nobody was heard to speak in the film"
UNSURE_OF_LANGUAGE = 0.8
"""The probability below which it is noted that the language is a guess."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said in a film."""

    path: Path | None
    """A .srt file in the cache, which `stage.media.film.open_film` reads; None where nobody speaks."""
    language: str
    """Code of the language that most is said in, such as "en"; empty where nobody speaks."""
    notes: tuple[str, ...] = ()
    """Messages to the user: model and language, which sound track, what was left out."""
    cues: tuple[Cue, ...] = ()
    """The subtitles, on the film's clock."""
    has_sound: bool = True


def subtitles_of_sound(
    video: Path,
    *,
    model: str | None = None,
    language: str | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Transcript:
    """Hear what is said in a film. What was heard before with the same model is read from the cache.

    model: see `stage.speech.models.find_model`; by default the one that is installed. language: a code of
    Whisper's, such as "en"; detected if None. cache: by default the user's cache folder. progress: called with
    the seconds that were heard. An interrupted film is resumed: each piece of up to five minutes is kept. Raises
    InputError if the film or the model can't be used, or the model has no such language.
    """
    film = open_video(Path(video))
    sound = sound_track(film)
    if sound is None:
        return Transcript(None, "", (NO_SOUND,), has_sound=False)
    whisper = find_model(model)
    store = _Store.of(film, whisper, language, cache)
    record = _heard(sound, store, Listener(whisper, language), progress)
    words = [word for piece in record.pieces for word in piece.words]
    cues = subtitles(words, film.duration)
    left_out = uncertain_note(record.pieces)
    if not cues:
        return Transcript(None, "", (*sound.notes, NO_SPEECH, *left_out, *store.notes))
    spoken = languages(record.pieces)
    first = next(iter(spoken))
    path = store.subtitle_file(subtitle_text(cues))
    notes = (_heard_note(whisper, spoken, language), *sound.notes, *left_out, *store.notes)
    return Transcript(path, first, notes, cues)


def _heard_note(model: SpeechModel, spoken: dict[str, float], given: str | None) -> str:
    first, *others = spoken
    if given is not None:
        return f"subtitles are what {model.name} heard, in the language {first}, as given"
    also = f"; also {', '.join(others)}" if others else ""
    unsure = "; if it is another, give it with --language" if spoken[first] < UNSURE_OF_LANGUAGE else ""
    detected = f"{first} ({percentage(spoken[first])})"
    return f"subtitles are what {model.name} heard, in the language {detected}{also}{unsure}"


def _heard(sound: SoundTrack, store: _Store, listener: Listener, progress: Progress | None) -> Record:
    record = store.read()
    total = max(1, round(sound.video.duration))

    def heard(seconds: float) -> None:
        if progress is not None:
            progress(min(total, round(seconds)), total, "seconds of sound")

    if not record.complete:
        for piece in listener.pieces(sound, record.pieces, heard):
            record = Record((*record.pieces, piece))
            store.keep(record)
        record = Record(record.pieces, complete=True)
        store.keep(record)
    heard(total)
    return record


class _Store:
    """The cached transcript of one film, heard by one model."""

    def __init__(self, folder: Path | None, key: str) -> None:
        """folder: None where there is none to cache in."""
        self._record = None if folder is None else folder / f"{key}.json"
        self._subtitles = None if folder is None else folder / f"{key}.srt"
        self.notes: tuple[str, ...] = ()
        """Messages to the user: that what was cached is damaged, or that nothing can be cached."""

    @classmethod
    def of(cls, film: Video, model: SpeechModel, language: str | None, cache: Path | None) -> _Store:
        settings = (
            voice.PIECE, sorted(voice.HEARD.items()), sorted(voice.EXACT.items()), listening.TEMPERATURES,
            listening.LEAST_LOG_PROBABILITY, listening.MOST_NO_SPEECH, listening.LEAST_IF_NO_SPEECH,
            listening.MOST_REPETITION, listening.LEAST_PROBABILITY,
        )  # fmt: skip
        heard_by = (fingerprint(film.path), model.identity, language, _version("faster-whisper"), settings)
        key = hashlib.sha256(repr(heard_by).encode()).hexdigest()[:32]
        try:
            return cls((cache or cache_folder()) / FOLDER, key)
        except InputError as error:
            store = cls(None, key)
            store._give_up(error)
            return store

    def read(self) -> Record:
        """What was heard before; empty if nothing was, or it is damaged, which is noted."""
        if self._record is None:
            return Record()
        try:
            return read_record(self._record)
        except (InputError, OSError) as error:
            self.notes += (f"what was cached of the film's sound is damaged, and made anew: {error}",)
            remove_record(self._record)
            return Record()

    def keep(self, record: Record) -> None:
        """Cache what was heard so far."""
        if self._record is None:
            return
        try:
            write_record(self._record, record)
        except (InputError, OSError) as error:
            self._give_up(error)

    def subtitle_file(self, text: str) -> Path:
        """A file with this content: in the cache, or until the program ends where nothing can be cached."""
        if self._subtitles is not None:
            try:
                if not _contains(self._subtitles, text):
                    write_text(self._subtitles, text)
                return self._subtitles
            except (InputError, OSError) as error:
                self._give_up(error)
        folder = Path(mkdtemp(prefix="stage-speech-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        write_text(folder / "speech.srt", text)
        return folder / "speech.srt"

    def _give_up(self, error: Exception) -> None:
        self._record = self._subtitles = None
        self.notes += (f"what was heard is not cached: {error}",)


def _contains(path: Path, text: str) -> bool:
    """Whether a file has this content; it may have any size."""
    content = text.encode()
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
