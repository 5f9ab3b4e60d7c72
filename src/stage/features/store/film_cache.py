"""A cache of the regions of films, by the films' content.

A cache only saves time: entries that can't be read are recomputed, and if it can't be written nothing is cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.features.store.cache_folder import cache_folder
from stage.features.store.feature_store import FeatureStore
from stage.types import Regions


class RegionCache:
    """The cached regions of one film's numbered frames."""

    def __init__(self, folder: Path | None, attributes: FeatureAttributes, key: str) -> None:
        """folder: by default the user's cache folder. key: identifies the film by its content, see
        `stage.media.video.fingerprint`.
        """
        self._key = key
        self._store: FeatureStore | None = None
        self.notes: tuple[str, ...] = ()
        """A message to the user if nothing can be cached; otherwise none."""
        try:
            self._store = FeatureStore.create((folder or cache_folder()) / attributes.digest, attributes)
        except InputError as error:
            self._give_up(error)

    def read(self) -> dict[int, Regions]:
        """Numbered frame -> its cached regions; empty if there are none or they can't be read."""
        try:
            if self._store is None or not self._store.has_clip(self._key):
                return {}
            stored = self._store.clip(self._key)
            return stored.at(stored)
        except InputError:
            return {}

    def keep(self, regions: Mapping[int, Regions]) -> None:
        """Cache the regions of the film, replacing those cached before."""
        if self._store is None:
            return
        try:
            self._store.put_clip(self._key, regions)
        except InputError as error:
            self._give_up(error)

    def _give_up(self, error: InputError) -> None:
        self._store = None
        self.notes = (f"the encoded film is not cached for the next question: {error}",)
