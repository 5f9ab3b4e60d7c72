"""Published splits of the sitcom: version, sizes and digests of episodes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from stage.errors import InputError
from stage.io import read_json, write_json
from stage.sitcom.drawing.scene import draw
from stage.sitcom.screenplay import episode_seed, write_screenplay

VERSION = 5
"""To be raised when episodes, images, questions or labels change; `publish` then writes new digests."""
SEED = 0
DIGESTS = Path(__file__).parents[2] / "assets" / "sitcom.json"
DIGESTED_EPISODES = 3
"""Episodes whose images `image_digest` covers."""


@dataclass(frozen=True, slots=True)
class SplitSize:
    """The size of a published split."""

    episodes: int
    questions: int
    """Per episode, at most."""


SPLITS = {"train": SplitSize(400, 96), "val": SplitSize(40, 12), "test": SplitSize(64, 12)}
"""Training has more questions per episode, since drawing films costs more than writing questions."""


@dataclass(frozen=True, slots=True)
class PublishedSplit:
    """A published split."""

    split: str
    seed: int
    questions: int
    """Per episode, at most."""
    digests: tuple[str, ...]
    """Of each episode's truth file (`digest_of`)."""

    @property
    def names(self) -> list[str]:
        """The names of its episodes."""
        return [episode_name(self.split, self.seed, i) for i in range(len(self.digests))]


def episode_name(split: str, seed: int, index: int) -> str:
    return f"sitcom_{split}_{seed}_{index:05d}"


def published(split: str) -> PublishedSplit:
    """One of SPLITS in the current version. Raises InputError if this version has not been published."""
    stored = read_json(DIGESTS)
    if stored["version"] != VERSION:
        raise InputError(f"{DIGESTS}: has version {stored['version']}, not {VERSION}; run `stage remake`")
    return PublishedSplit(split, SEED, SPLITS[split].questions, tuple(stored["truth"][split]))


def digest_of(content: bytes) -> str:
    """The first 16 hex digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


def image_digest() -> str:
    """The digest of the images in the middle of each beat of a few episodes, before video encoding."""
    plays = [write_screenplay(episode_seed("val", SEED, i)) for i in range(DIGESTED_EPISODES)]
    middles = [(play, (beat.start + beat.end) / 2) for play in plays for beat in play.beats]
    return digest_of(b"".join(draw(play.setting_at(time)).image.tobytes() for play, time in middles))


def publish(data: Path) -> None:
    """Store the digests of data/train, data/val and data/test, if they have a new version.

    Raises InputError if they differ from the digests published for the same version.
    """
    truth = {
        split: [
            digest_of((data / split / "truth" / f"{episode_name(split, SEED, i)}.json").read_bytes())
            for i in range(size.episodes)
        ]
        for split, size in SPLITS.items()
    }
    digests = {"version": VERSION, "pictures": image_digest(), "truth": truth}
    stored = read_json(DIGESTS) if DIGESTS.exists() else {}
    if stored.get("version") == VERSION and stored != digests:
        raise InputError(f"{data}: differs from what was published as version {VERSION}; raise the version")
    if stored != digests:
        write_json(DIGESTS, digests)
