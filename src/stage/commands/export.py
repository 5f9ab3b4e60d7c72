"""`stage export`: a model folder to one that onnxruntime runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[str, typer.Argument(help="A model folder, or the name of a packaged model.")],
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
) -> None:
    """Write STAGE as ONNX graphs, with all that an answer needs; `--model OUT` then answers with onnxruntime."""
    from stage.inference.model_folder import export_model, load_model

    export_model(load_model(model), out)
    print(f"{model} is exported to {out}; give it as a model, as in: stage predict DATA OUT --model {out}")
