"""`stage export`: write a model as ONNX graphs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stage.terminal import echo


def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model folder, or the name of a packaged model.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
) -> None:
    """Export a STAGE model to ONNX.

    OUT is a model folder like any other: with `--model OUT`, commands run it in
    onnxruntime.
    """
    from stage.inference.model_folder import check_replaceable, export_model, load_model

    check_replaceable(out)
    loaded = load_model(model)
    for note in loaded.notes:
        echo(note, file=sys.stderr)
    export_model(loaded, out)
    echo(f"{out}: {model} as ONNX graphs; use it with --model {out}")
