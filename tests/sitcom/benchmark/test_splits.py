"""The published sitcom stays what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples.places import ROOT
from samples.published import change, truth
from stage.errors import InputError
from stage.sitcom.benchmark import splits as benchmark
from stage.sitcom.benchmark.splits import (
    DIGESTS,
    SPLITS,
    VERSION,
    PublishedSplit,
    digest_of,
    image_digest,
    publish,
    published,
)

CHANGED = f"the sitcom changed: raise VERSION in {benchmark.__name__}, then run `stage remake`"


@pytest.mark.parametrize("split", SPLITS)
def test_the_generator_still_makes_what_was_published(split: str) -> None:
    split_published = published(split)
    assert len(split_published.digests) == SPLITS[split].episodes
    made = truth(split, split_published.seed, 0, split_published.questions)
    assert digest_of(made.encode()) == split_published.digests[0], CHANGED


def test_drawings_are_still_those_that_were_published() -> None:
    noted = json.loads(DIGESTS.read_text())
    assert (noted["version"], noted["pictures"]) == (VERSION, image_digest()), CHANGED


def test_the_documentation_names_version_and_splits() -> None:
    page = (ROOT / "docs" / "sitcom.md").read_text()
    assert f"The version ({VERSION})" in page
    for split, size in SPLITS.items():
        assert f"| `{split}` | {benchmark.SEED} | {size.episodes} | {size.questions} |" in page


def test_a_version_is_published_once(
    small_sitcom: tuple[Path, PublishedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "val").symlink_to(small_sitcom[0])
    monkeypatch.setattr(benchmark, "DIGESTED_EPISODES", 1)
    monkeypatch.setattr(benchmark, "SEED", 7)
    monkeypatch.setattr(benchmark, "SPLITS", {"val": benchmark.SplitSize(1, 2)})
    monkeypatch.setattr(benchmark, "DIGESTS", tmp_path / "digests.json")
    publish(tmp_path)
    assert published("val") == small_sitcom[1]
    publish(tmp_path)
    change(tmp_path / "digests.json", lambda noted: {**noted, "truth": {"val": ["0"]}})
    with pytest.raises(InputError, match="raise the version"):
        publish(tmp_path)
    monkeypatch.setattr(benchmark, "VERSION", VERSION + 1)
    with pytest.raises(InputError, match="run `stage remake`"):
        published("val")
    publish(tmp_path)
    assert published("val") == small_sitcom[1]
