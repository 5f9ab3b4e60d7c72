"""`stage features`: films and questions to vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def features(
    folders: Annotated[list[Path], typer.Argument(help="Data folders, as `stage sitcom` writes them.")],
    text: Annotated[
        str, typer.Option(help="minilm, glove, a GloVe text file, or a BERT (folder or hub name).")
    ] = "minilm",
    detector: Annotated[
        str, typer.Option(help="stage, or an object detector of transformers (folder or hub name).")
    ] = "stage",
) -> None:
    """Make the features of data folders; what is there already is kept."""
    from stage.commands.progress import progress_bar
    from stage.extraction import extract_folder
    from stage.features.regions import load_detector
    from stage.features.text import load_text_encoder

    encoder, found = load_text_encoder(text), load_detector(detector)
    for folder in folders:
        with progress_bar(f"Features of {folder}") as progress:
            extract_folder(folder, encoder, found, progress)
        print(f"features of {folder} are in {folder / 'features'}")
