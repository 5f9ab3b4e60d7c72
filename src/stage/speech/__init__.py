"""Speech to subtitles: what is said in a film, heard by Whisper, as timed sentences."""

from stage.speech.transcript import Transcript, subtitles_of_sound

__all__ = ["Transcript", "subtitles_of_sound"]
