"""A process that asks about a film, or only says what a command can do, starts without what it doesn't need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TRAINING = ("pytorch_lightning", "tensorboard", "sklearn", "pandas", "matplotlib")
HEAVY = ("transformers", "scipy", "h5py", "onnxruntime", *TRAINING)
COMPILER = ("torch._dynamo", "torch._inductor", "sympy")
"""What torch imports to compile: as slow as torch itself."""
COMMAND = """
import json, sys
from stage.commands import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def imported_by(*arguments: str | Path, cache: Path) -> tuple[str, set[str]]:
    """What a command prints, and the modules that its process has imported at its end."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        capture_output=True, text=True, env=os.environ | {"STAGE_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, set(json.loads(done.stderr.strip().splitlines()[-1]))


@pytest.mark.slow
def test_asking_a_packaged_model_imports_nothing_that_is_for_training_or_other_models(
    spoken_film: Path, tmp_path: Path
) -> None:
    question = (
        "--question",
        "Who is here ?",
        "--answer",
        "Mia .",
        "--answer",
        "Leo .",
        "--model",
        "sitcom",
        "--json",
    )
    for again in range(2):  # the second time, the film's regions are cached
        printed, modules = imported_by("ask", spoken_film, *question, cache=tmp_path)
        assert "probabilities" in printed
        assert modules & {*HEAVY, *COMPILER} == set(), f"time {again + 1}"
        assert {"torch", "tokenizers"} <= modules
    assert any(tmp_path.rglob("*.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["ask", "predict", "train"])
def test_the_help_of_a_command_imports_neither_torch_nor_the_other_commands(
    command: str, tmp_path: Path
) -> None:
    printed, modules = imported_by(command, "--help", cache=tmp_path)
    assert f"Usage: stage {command}" in printed
    assert modules & {"torch", "av", "cv2", *HEAVY} == set()
    others = {"ask", "predict", "train", "tables", "collect"} - {command}
    assert {f"stage.commands.{name}" for name in others} & modules == set()


@pytest.mark.slow
def test_all_commands_are_in_the_help_of_the_program(tmp_path: Path) -> None:
    printed, modules = imported_by("--help", cache=tmp_path)
    for name in ("ask", "predict", "train", "tables", "collect", "finetune-text"):
        assert f" {name} " in printed
    assert modules & {"torch", *HEAVY} == set()
