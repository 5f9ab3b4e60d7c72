"""Regions of the films that were asked about, kept on disk by the films' content.

A cache only saves time: what can't be read in it is made anew, and where nothing can be written nothing is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import FeatureStore
from stage.types import Regions


class RegionCache:
    """Numbered frame -> regions, of one film."""

    def __init__(self, folder: Path, attributes: FeatureAttributes, key: str) -> None:
        """key: tells films apart, see `stage.media.video.fingerprint`."""
        self._key = key
        self._store: FeatureStore | None = None
        self.notes: tuple[str, ...] = ()
        """Why nothing is kept, if so."""
        try:
            self._store = FeatureStore.create(folder / attributes.digest, attributes)
        except InputError as error:
            self._give_up(error)

    def read(self) -> dict[int, Regions]:
        """What was kept; nothing if it can't be read."""
        try:
            return (
                dict(self._store.clip(self._key)) if self._store and self._store.has_clip(self._key) else {}
            )
        except InputError:
            return {}

    def keep(self, regions: Mapping[int, Regions]) -> None:
        """Keep all that is known of the film, in place of what was kept before."""
        if self._store is None:
            return
        try:
            self._store.put_clip(self._key, regions)
        except InputError as error:
            self._give_up(error)

    def _give_up(self, error: InputError) -> None:
        self._store = None
        self.notes = (f"what was seen is not kept for the next question: {error}",)
