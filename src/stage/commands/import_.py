"""`stage import`: convert a checkpoint of the authors' release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stage.terminal import echo


def import_(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A state_dict written by the authors' code (.pth).")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The model folder to write.")],
    opt: Annotated[
        Path | None,
        typer.Option(
            help="The options it was trained with (opt.json); the weights are checked against them."
        ),
    ] = None,
    concepts: Annotated[
        Path | None,
        typer.Option(help="The words to ground (eval_object_vocab.json); by default all content words."),
    ] = None,
) -> None:
    """Convert a checkpoint of the authors' release to a model folder.

    Only the weights are read: code in the checkpoint is never run.
    """
    from stage.inference.model_folder import check_replaceable, save_model
    from stage.model.stage import Stage
    from stage.release.checkpoint import import_checkpoint

    check_replaceable(out)
    model = import_checkpoint(checkpoint, opt, concepts)
    save_model(
        model, out, card=f"# STAGE, imported\n\n- from: {checkpoint.name}, a checkpoint of the release\n"
    )
    assert isinstance(model.model, Stage)  # the release has no other system
    config = model.model.config
    weights = sum(p.numel() for p in model.model.parameters())
    echo(
        f"{out}: STAGE with {weights:,} weights (streams: {config.streams}, "
        f"local features: {'yes' if config.local_features else 'no'}, "
        f"word vectors: {config.text_dim}, region features: {config.region_dim})"
    )
