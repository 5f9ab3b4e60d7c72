"""The sitcom as a benchmark: its version, its splits, and what the published episodes are known by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from stage.errors import InputError
from stage.io import read_json, write_json
from stage.sitcom.drawing.scene import draw
from stage.sitcom.screenplay import episode_seed, write_screenplay

VERSION = 5
"""Raised when episodes, pictures, questions or truth change; `publish` then writes new digests."""
SEED = 0
DIGESTS = Path(__file__).parents[2] / "assets" / "sitcom.json"
LOOKED_AT = 3
"""Episodes whose pictures are in `pictures_digest`."""


@dataclass(frozen=True, slots=True)
class Split:
    """How much there is of a published split."""

    episodes: int
    questions: int
    """An episode, at most."""


SPLITS = {"train": Split(400, 96), "val": Split(40, 12), "test": Split(64, 12)}
"""Training has more questions an episode, since drawing costs more than asking."""


@dataclass(frozen=True, slots=True)
class Published:
    """A split as it was published."""

    split: str
    seed: int
    questions: int
    """An episode, at most."""
    digests: tuple[str, ...]
    """Of each episode's truth file."""

    @property
    def names(self) -> list[str]:
        return [episode_name(self.split, self.seed, i) for i in range(len(self.digests))]


def episode_name(split: str, seed: int, index: int) -> str:
    return f"sitcom_{split}_{seed}_{index:05d}"


def published(split: str) -> Published:
    """One of SPLITS in this version. Raises InputError if the version has not been published."""
    noted = read_json(DIGESTS)
    if noted["version"] != VERSION:
        raise InputError(f"{DIGESTS}: is of version {noted['version']}, not {VERSION}; run `stage remake`")
    return Published(split, SEED, SPLITS[split].questions, tuple(noted["truth"][split]))


def digest_of(content: bytes) -> str:
    """The first 16 digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


def pictures_digest() -> str:
    """Of what is drawn in the middle of the beats of a few episodes, before it is coded as a film."""
    plays = [write_screenplay(episode_seed("val", SEED, i)) for i in range(LOOKED_AT)]
    middles = [(play, (beat.start + beat.end) / 2) for play in plays for beat in play.beats]
    return digest_of(b"".join(draw(play.setting_at(time)).picture.tobytes() for play, time in middles))


def publish(data: Path) -> None:
    """Note the digests of data/train, data/val and data/test, if they are of a new version.

    Raises InputError if they differ from those of the same version.
    """
    truth = {
        split: [
            digest_of((data / split / "truth" / f"{episode_name(split, SEED, i)}.json").read_bytes())
            for i in range(size.episodes)
        ]
        for split, size in SPLITS.items()
    }
    made = {"version": VERSION, "pictures": pictures_digest(), "truth": truth}
    before = read_json(DIGESTS) if DIGESTS.exists() else {}
    if before.get("version") == VERSION and before != made:
        raise InputError(f"{data}: differs from what was published as version {VERSION}; raise the version")
    if before != made:
        write_json(DIGESTS, made)
