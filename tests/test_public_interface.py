"""The public interface is what its reference describes, and its values can be compared and be keys."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import pytest

import stage
from samples.page import evidence, with_truth
from samples.places import ROOT
from samples.predictions import question
from stage.inference.model_folder import load_model
from stage.inference.trained import TrainedAnswerer, TrainedFilm
from stage.metrics import evaluate
from stage.types import AnsweredBy, Clip, ClipFeatures, Regions

REFERENCE = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")


def described_in(*sections: str) -> dict[str, str]:
    """The names that sections of the reference describe, as their headings give them -> where they are defined."""
    found = {}
    for section in sections:
        text = REFERENCE.split(f"## {section}\n")[1].split("\n## ")[0]
        entries = re.findall(r"^::: (\S+)\n.*?heading: ([\w.]+)", text, re.MULTILINE)
        found |= {name: place for place, name in entries}
    return found


PUBLIC = described_in("Ask a film", "Show the evidence")
STABLE = described_in("Data sets and models", "What encoders and detectors provide")


def test_what_is_public_is_what_the_reference_describes() -> None:
    assert {f"stage.{name}" for name in stage.__all__} == PUBLIC.keys()
    assert [name for name in dir(stage) if not name.startswith("_")] == sorted(stage.__all__)


@pytest.mark.parametrize(("name", "place"), [*PUBLIC.items(), *STABLE.items()])
def test_what_the_reference_describes_is_imported_documented_and_typed(name: str, place: str) -> None:
    found = resolve_name(":".join(name.rsplit(".", 1)))
    assert found is resolve_name(":".join(place.rsplit(".", 1)))
    assert is_described(found)
    if not inspect.isclass(found):
        assert is_typed(found)
    for key, member in vars(found).items() if inspect.isclass(found) else ():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if not key.startswith("_") and inspect.isfunction(function):
            assert is_described(function), key
            assert is_typed(function), key


def is_described(found: object) -> bool:
    """Whether it has a docstring of its own: one that dataclasses are given only repeats the fields."""
    text = inspect.getdoc(found) or ""
    return len(text.split()) >= 3 and not text.startswith(f"{getattr(found, '__name__', '')}(")


def is_typed(function: Callable[..., object]) -> bool:
    signature = inspect.signature(function)
    given = [p.annotation for name, p in signature.parameters.items() if name not in ("self", "cls")]
    return not {inspect.Parameter.empty, "Any"} & {*given, signature.return_annotation}


def test_equal_evidence_is_one_key() -> None:
    first, again, other = with_truth(evidence()), with_truth(evidence()), with_truth(evidence(), answer=0)
    assert first == again
    assert len({first, again, other}) == 2
    assert len({question(1), question(1), question(2)}) == 2
    assert replace(question(1), boxes={}) != question(1)
    assert len({evaluate([], [question(1)]), evaluate([], [question(1)])}) == 1


def test_what_consists_of_arrays_is_equal_to_itself_alone() -> None:
    regions = Regions.empty(3)
    features = ClipFeatures(Clip("clip", 3), (), {1: regions}, 3)
    for some, copy in ((regions, replace(regions)), (features, replace(features))):
        assert some != copy
        assert len({some, some, copy}) == 2


def test_models_and_films_can_be_keys(random_model: Path) -> None:
    model = load_model(random_model)
    answerer, clip = TrainedAnswerer(model), Clip("clip", 3)
    encoded = ClipFeatures(clip, (), {}, 3)
    film = TrainedFilm(answerer, None, clip, (), encoded, None, answered_by=AnsweredBy("x"))  # type: ignore[arg-type]
    assert len({model, model, answerer, answerer, film, film}) == 3
