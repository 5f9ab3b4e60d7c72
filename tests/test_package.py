"""What `import stage` gives."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pkgutil import resolve_name
from typing import Any

import pytest

import stage
from samples.places import ROOT
from stage.annotation.predictions import read_predictions
from stage.annotation.questions import read_questions
from stage.annotation.vocabulary import vocabulary_of
from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.inference.model_folder import load_model
from stage.training.config import load_config


@pytest.mark.slow
def test_importing_the_package_loads_no_heavy_library() -> None:
    heavy = (
        "import sys, stage; print([m for m in ('torch', 'transformers', 'av', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def documented() -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions and methods of docs/reference/python.md."""
    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    for name in re.findall(r"^::: ([\w.]+)", page, re.MULTILINE):
        found = resolve_name(name)
        if inspect.isfunction(found):
            yield name, found
        elif inspect.isclass(found):
            methods = inspect.getmembers(found, lambda f: inspect.isfunction(f) or inspect.ismethod(f))
            yield from ((f"{name}.{method}", f) for method, f in methods if not method.startswith("_"))


def test_every_path_of_the_public_interface_may_be_a_string() -> None:
    paths = [
        (name, parameter)
        for name, function in documented()
        for parameter in inspect.signature(function).parameters.values()
        if "Path" in str(parameter.annotation)
    ]
    assert len(paths) > 10
    assert [(name, str(p)) for name, p in paths if "str | Path" not in str(p.annotation)] == []


@pytest.mark.parametrize(
    "call",
    [
        lambda: stage.open("nowhere/film.mp4"),
        lambda: stage.Answerer.from_pretrained("nowhere/model"),
        lambda: load_model("nowhere/model"),
        lambda: read_questions("nowhere/questions.json"),
        lambda: read_predictions("nowhere/predictions.json"),
        lambda: vocabulary_of("nowhere/predictions.json"),
        lambda: open_questions("nowhere", Limits()),
        lambda: load_config("nowhere/run.yaml"),
    ],
)
def test_a_string_that_leads_nowhere_is_named(call: Callable[[], object]) -> None:
    with pytest.raises(stage.InputError, match="nowhere"):
        call()
