"""`stage import`: a checkpoint of the authors' release to a model of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_(
    checkpoint: Annotated[Path, typer.Argument(help="A state_dict of the release (.pth).")],
    out: Annotated[Path, typer.Argument(help="The model folder to write.")],
    opt: Annotated[
        Path | None, typer.Option(help="The options that it was trained with (opt.json), to check against.")
    ] = None,
    concepts: Annotated[
        Path | None,
        typer.Option(help="The words that get boxes (eval_object_vocab.json); without it all may."),
    ] = None,
) -> None:
    """Make a model folder of a checkpoint that the authors' code wrote; only its weights are read, never code."""
    from stage.model.stage import Stage
    from stage.release.checkpoint import import_checkpoint

    model = import_checkpoint(checkpoint, opt, concepts)

    from stage.inference.model_folder import save_model

    save_model(
        model, out, card=f"# STAGE, imported\n\n- from: {checkpoint.name}, a checkpoint of the release\n"
    )
    assert isinstance(model.stage, Stage)  # the release holds nothing else
    config = model.stage.config
    weights = sum(p.numel() for p in model.stage.parameters())
    print(
        f"{weights:,} weights (streams: {config.streams}, local features: {config.local_features}, "
        f"word vectors {config.text_dim}, region features {config.region_dim}) are in {out}"
    )
