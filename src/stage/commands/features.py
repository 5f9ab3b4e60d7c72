"""`stage features`: films and texts to vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Films and texts to vectors; what is there already is kept.", no_args_is_help=True)

Text = Annotated[str, typer.Option(help="minilm, glove, a GloVe text file, or a BERT (folder or hub name).")]
Detector = Annotated[
    str, typer.Option(help="stage, or an object detector of transformers (folder or hub name).")
]
Folders = Annotated[list[Path], typer.Argument(help="Data folders, as `stage sitcom` writes them.")]


@app.command("all")
def make_all(folders: Folders, text: Text = "minilm", detector: Detector = "stage") -> None:
    """Word vectors and regions of data folders with their films."""
    from stage.commands.progress import progress_bar
    from stage.data.extraction import extract_folder
    from stage.features.registry import load_detector, load_text_encoder

    encoder, found = load_text_encoder(text), load_detector(detector)
    for folder in folders:
        with progress_bar(f"Features of {folder}") as progress:
            extract_folder(folder, encoder, found, progress)
        print(f"features of {folder} are in {folder / 'features'}")


@app.command("text")
def make_text(folders: Folders, text: Text = "minilm") -> None:
    """Word vectors of the questions and subtitles of data folders."""
    from stage.commands.progress import progress_bar
    from stage.data.extraction import extract_words
    from stage.features.registry import load_text_encoder

    encoder = load_text_encoder(text)
    for folder in folders:
        with progress_bar(f"Words of {folder}") as progress:
            extract_words(folder, encoder, progress)
        print(f"word vectors of {folder} are in {folder / 'features'}")


@app.command("regions")
def make_regions(
    videos: Annotated[
        Path, typer.Argument(help="A folder of films, or of folders with frame images (3 a second).")
    ],
    out: Annotated[Path, typer.Argument(help="Where to write; DATA/features for a data folder.")],
    detector: Detector = "stage",
    concepts: Annotated[
        bool,
        typer.Option("--concepts", help="Describe regions by the words of their labels (visual concepts)."),
    ] = False,
    text: Annotated[str, typer.Option(help="The text encoder for --concepts.")] = "minilm",
) -> None:
    """Regions of every film below a folder; those of clips with questions at the frames that are asked about."""
    from stage.commands.progress import progress_bar
    from stage.data.extraction import frames_asked
    from stage.data.layouts import folder
    from stage.features.extraction import extract_regions
    from stage.features.regions.visual_concepts import ConceptDetector
    from stage.features.registry import load_detector, load_text_encoder

    found = load_detector(detector)
    if concepts:
        found = ConceptDetector(found, load_text_encoder(text))
    wanted = frames_asked(out.parent) if folder.holds(out.parent) else None
    with progress_bar("Regions") as progress:
        counts = extract_regions(videos, out, found, progress, wanted)
    print(f"regions of {len(counts):,} clips are in {out}")
