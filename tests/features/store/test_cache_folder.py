"""Where features are cached."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.features.store.cache_folder import cache_folder
from stage.features.store.film_cache import RegionCache
from stage.types import Regions


def test_the_project_s_own_variable_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("STAGE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
def test_on_linux_it_is_a_folder_in_the_user_s_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STAGE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches" / "stage"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "stage"
    assert not any(tmp_path.iterdir())


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user that the system doesn't know, as containers have them."""
    pwd = pytest.importorskip("pwd", reason="other systems have other users")

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "STAGE_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("no_home")
def test_without_a_home_folder_nothing_is_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no home folder to cache features in; set STAGE_CACHE"):
        cache_folder()
    attributes = FeatureAttributes("text", 4, "regions", 3)
    regions = {1: Regions(np.ones((1, 4), np.float32), np.ones(1, np.float32), np.ones((1, 3), np.float32))}
    cache = RegionCache(None, attributes, "film")
    cache.keep(regions)
    assert cache.read() == {}
    assert "set STAGE_CACHE" in " ".join(cache.notes)
    assert not any(tmp_path.iterdir())
    monkeypatch.setenv("STAGE_CACHE", str(tmp_path / "own"))
    cache = RegionCache(None, attributes, "film")
    cache.keep(regions)
    assert (cache.read().keys(), cache.notes) == ({1}, ())
