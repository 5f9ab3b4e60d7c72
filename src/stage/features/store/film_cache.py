"""A cache of the regions of films, by the films' content.

A cache only saves time: entries that can't be read are recomputed, and if it can't be written nothing is cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.features.store.cache_folder import cache_folder
from stage.features.store.feature_store import ATTRIBUTES, FeatureStore
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
        """Messages to the user: that what was cached is damaged, or that nothing can be cached."""
        try:
            self._store = self._opened((folder or cache_folder()) / attributes.digest, attributes)
        except (InputError, OSError) as error:
            self._give_up(error)

    def _opened(self, folder: Path, attributes: FeatureAttributes) -> FeatureStore:
        try:
            return FeatureStore.create(folder, attributes)
        except InputError as error:
            if not (folder / ATTRIBUTES).is_file():
                raise
            (folder / ATTRIBUTES).unlink()
            store = FeatureStore.create(folder, attributes)
            self._note_damage(error)
            return store

    def read(self) -> dict[int, Regions]:
        """Numbered frame -> its cached regions; empty if there are none, or they are damaged, which is noted."""
        try:
            if self._store is None or not self._store.has_clip(self._key):
                return {}
            stored = self._store.clip(self._key)
            stored.check_digest()
            return stored.at(stored)
        except (InputError, OSError) as error:
            self._note_damage(error)
            return {}

    def keep(self, regions: Mapping[int, Regions]) -> None:
        """Cache the regions of the film, replacing those cached before."""
        if self._store is None:
            return
        try:
            self._store.put_clip(self._key, regions)
        except (InputError, OSError) as error:
            self._give_up(error)

    def _note_damage(self, error: Exception) -> None:
        self.notes += (f"what was cached of the film is damaged, and made anew: {error}",)

    def _give_up(self, error: Exception) -> None:
        self._store = None
        self.notes += (f"the encoded film is not cached for the next question: {error}",)
