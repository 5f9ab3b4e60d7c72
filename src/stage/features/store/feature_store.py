"""Features of many clips in a folder, written by several processes.

A store is a folder, so that several processes can write to it, an interrupted extraction is resumed from the files
that exist, and a killed process can't damage it: every file is written whole or not at all (`stage.io`).

    attributes.json             which encoders the features come from
    clips/NAME.safetensors      the regions of a clip's frames, features in float16, and the film they are from
    texts/NAME.safetensors      word vectors of some thousand texts, in float16

Features are read when they are requested, so memory does not grow with the number of clips. A clip's file that is
replaced while the store is in use is an error: nothing mixes two extractions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np

from stage.errors import InputError
from stage.features.names import PACKAGED_BERT, PACKAGED_DETECTOR, VISUAL_CONCEPTS, without_digest
from stage.features.protocols import FeatureAttributes
from stage.features.store.clip_file import ClipHeader, StoredRegions, shown, write_clip
from stage.features.store.film_record import FilmRecord
from stage.features.store.tensor_file import FileIdentity, check_unchanged
from stage.features.store.text_files import SUFFIX, TextFiles
from stage.io import read_json, write_json
from stage.media.clip_names import clip_file
from stage.types import Array, Clip, Question, Regions

FORMAT = 2
ATTRIBUTES = "attributes.json"
OPEN_CLIPS = 128
"""Most clips whose boxes, scores and labels are kept in memory."""


def question_key(qid: int) -> str:
    """The key of the word vectors of a question's text."""
    return f"{qid}_q"


def answer_key(qid: int, candidate: int) -> str:
    """The key of the word vectors of a candidate answer."""
    return f"{qid}_a{candidate}"


def question_keys(question: Question) -> list[str]:
    """The keys of a question's text and of its candidate answers."""
    return [question_key(question.qid), *(answer_key(question.qid, k) for k in range(len(question.answers)))]


def sentence_key(clip: str, number: int) -> str:
    """The key of the word vectors of a subtitle sentence."""
    return f"{clip}/{number}"


class FeatureStore:
    """Regions of clips by name and word vectors of texts by key: a `FeatureSource` that can be written."""

    def __init__(self, folder: Path, attributes: FeatureAttributes) -> None:
        self.folder = folder
        self.attributes = attributes
        self._texts = TextFiles(folder / "texts", attributes.text_dim)
        self._open = lru_cache(OPEN_CLIPS)(self._read_clip)
        self._identities: dict[str, FileIdentity] = {}
        """The file of every clip that was read, to notice another one in its place."""

    def __reduce__(self) -> tuple[type[FeatureStore], tuple[Path, FeatureAttributes]]:
        """For worker processes, which index the files themselves."""
        return FeatureStore, (self.folder, self.attributes)

    @classmethod
    def create(cls, folder: Path, attributes: FeatureAttributes) -> FeatureStore:
        """Create a store, or open the one in the folder. Raises InputError if that is of other encoders.

        Nothing is written if the folder is a store of these encoders already: it may be read-only.
        """
        if not (folder / ATTRIBUTES).exists():
            cls._write(folder, attributes)
            return cls(folder, attributes)
        stored = cls.open(folder).attributes
        if (joined := stored.joined(attributes, folder)) != stored:
            cls._write(folder, joined)
        return cls(folder, joined)

    @staticmethod
    def _write(folder: Path, attributes: FeatureAttributes) -> None:
        write_json(folder / ATTRIBUTES, {"format": FORMAT, **asdict(attributes)})

    @classmethod
    def open(cls, folder: Path) -> FeatureStore:
        """Open a store. Raises InputError if the folder contains no store of this version."""
        raw = read_json(folder / ATTRIBUTES)
        try:
            if raw.pop("format") != FORMAT:
                raise InputError(
                    f"{folder}: contains features of another version; remove it to extract them again"
                )
            return cls(folder, FeatureAttributes.from_json(raw))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InputError(f"{folder / ATTRIBUTES}: doesn't describe features") from None

    def has_clip(self, name: str) -> bool:
        return self._clip_path(name).exists()

    def put_clip(self, name: str, frames: Mapping[int, Regions], film: FilmRecord | None = None) -> None:
        """Store the regions of a clip's numbered frames, replacing those stored before.

        film: the film that they were detected in, where they come from one. A frame without regions is stored too:
        the store knows which frames a detector has seen. Raises InputError if features contain NaN or values that
        float16 can't hold.
        """
        write_clip(self._clip_path(name), frames, self.attributes.region_dim, film)
        self._forget(name)

    def remove_clip(self, name: str) -> None:
        """Delete the regions of a clip."""
        self._clip_path(name).unlink(missing_ok=True)
        self._forget(name)

    def clip(self, name: str) -> StoredRegions:
        """Numbered frame -> its regions, for the frames that are stored.

        Raises InputError if the clip is not stored, its file is damaged, or was replaced since it was first read.
        """
        try:
            return self._open(name)
        except InputError:
            self._check_stored(name)
            raise

    def film(self, name: str) -> FilmRecord | None:
        """The film that a clip's regions were detected in; None if that is not recorded.

        It isn't in stores of earlier versions, nor for features that don't come from a film. Raises InputError if the
        clip is not stored.
        """
        self._check_stored(name)
        return ClipHeader.read(self._clip_path(name)).film

    def fingerprint(self, clips: Iterable[str]) -> str:
        """As in `FeatureSource`, from the digests that the clips' files carry.

        Files of earlier versions carry none: their frames, boxes, scores and labels are hashed, but no features.
        """
        digest = hashlib.sha256(self.attributes.identity.encode())
        for name in sorted(set(clips)):
            self._check_stored(name)
            stored = ClipHeader.read(self._clip_path(name)).digest or self.clip(name).digest()
            digest.update(json.dumps([name, stored]).encode())
        return digest.hexdigest()[:32]

    def has_text(self, key: str) -> bool:
        return key in self._texts

    def put_texts(self, vectors: Mapping[str, Array]) -> Path | None:
        """Store word vectors (words, dim) by their keys in a new file. Returns its path; None for no vectors.

        Raises InputError naming a text whose vectors contain NaN or values that float16 can't hold.
        """
        return self._texts.put(vectors)

    def check_digests(self, clips: Iterable[str]) -> None:
        """Raises InputError if features of these clips, or any word vectors, are not those that were written.

        All are read. Files of earlier versions carry no digests, and pass.
        """
        for name in clips:
            self.clip(name).check_digest()
        self._texts.check_digests()

    def text(self, key: str) -> Array:
        """The word vectors of a text, (words, dim). Raises InputError if they are not stored."""
        return self.texts([key])[0]

    def texts(self, keys: Iterable[str]) -> list[Array]:
        """The word vectors of each text, (words, dim). Raises InputError if any are not stored."""
        try:
            return self._texts.read(keys)
        except KeyError as missing:
            raise InputError(
                f"{self.folder}: has no word vectors of {missing.args[0]!r}; "
                f"extract them with {self.command(words=True)}"
            ) from None

    def hypotheses(self, question: Question) -> list[Array]:
        if self.attributes.found_by == "text":
            return self.texts(question.hypotheses)
        text, *answers = self.texts(question_keys(question))
        return [np.concatenate([text, answer]) for answer in answers]

    def sentences(self, clip: Clip) -> Sequence[Array]:
        if self.attributes.found_by == "text":
            return self.texts(sentence.text for sentence in clip.sentences)
        return self.texts(sentence_key(clip.name, i) for i in range(len(clip.sentences)))

    def regions(self, clip: Clip, frames: Iterable[int]) -> Mapping[int, Regions]:
        """As in `FeatureSource`. A frame that is not stored has been seen by no detector, and is an error."""
        stored, wanted = self.clip(clip.name), list(frames)
        found = stored.at(wanted)
        if len(found) < len(wanted):
            if missing := self.missing(clip.name, wanted):
                raise InputError(
                    f"{self.folder}: has no regions of {shown(missing)} of clip {clip.name}, which its "
                    f"questions need; extract them with {self.command(words=False)}"
                )
            return {**dict.fromkeys(wanted, Regions.empty(stored.region_dim)), **found}
        return found

    def all_regions(self, clip: Clip) -> Mapping[int, Regions]:
        """As in `FeatureSource`."""
        stored = self.clip(clip.name)
        return stored.at(stored)

    def _check_stored(self, name: str) -> None:
        if not self.has_clip(name):
            raise InputError(
                f"{self.folder}: has no regions of clip {name}; extract them with {self.command(words=False)}"
            )

    def missing(self, name: str, frames: Iterable[int]) -> list[int]:
        """Those of the frames of a clip that no detector has seen. Raises InputError if the clip is not stored."""
        stored = self.clip(name)
        missing = stored.missing(frames)
        if self.attributes.found_by == "name" and stored.header.digest is None:
            # Earlier versions packed no frames past the clip's last detections; now they are stored as empty.
            missing = [frame for frame in missing if frame < max(stored, default=0)]
        return missing

    def command(self, *, words: bool) -> str:
        """The command that makes word vectors, or else regions, of this store, for messages."""
        attributes, folder = self.attributes, self.folder.parent
        if attributes.found_by == "name":
            return "`stage data pack`"
        text, detector = (
            f" {option} {without_digest(name)}" if name and not name.startswith(f"{packaged}@") else ""
            for option, name, packaged in (
                ("--text", attributes.text, PACKAGED_BERT),
                ("--detector", attributes.regions, PACKAGED_DETECTOR),
            )
        )
        if words:
            return f"`stage features text {folder}{text}`"
        if attributes.regions.startswith(VISUAL_CONCEPTS):  # their name doesn't say which detector found them
            return (
                f"`stage features regions {folder}/episodes {self.folder} --concepts{text} --detector NAME`"
            )
        if self.folder.name != "features":
            return f"`stage features regions FILMS {self.folder}{detector}`"
        return f"`stage features all {folder}{text}{detector}`"

    def _read_clip(self, name: str) -> StoredRegions:
        stored = StoredRegions(self._clip_path(name))
        if stored.region_dim != self.attributes.region_dim:
            raise stored.file.broken(
                f"its features have {stored.region_dim} values, those of the store {self.attributes.region_dim}"
            )
        check_unchanged(stored.file.path, self._identities.setdefault(name, stored.file.identity))
        return stored

    def _forget(self, name: str) -> None:
        """What this process writes itself is read anew."""
        self._identities.pop(name, None)
        self._open.cache_clear()

    def _clip_path(self, name: str) -> Path:
        return clip_file(self.folder / "clips", name, SUFFIX)
