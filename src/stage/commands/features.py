"""`stage features`: extract word vectors and region features."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stage.terminal import echo

app = typer.Typer(
    help="Extract word vectors and region features. Existing features are kept.", no_args_is_help=True
)

Text = Annotated[
    str,
    typer.Option(
        help="Text encoder: minilm, glove, a GloVe text file, or a BERT model (folder or hub name)."
    ),
]
Detector = Annotated[
    str,
    typer.Option(help="Region detector: stage, or a transformers object detector (folder or hub name)."),
]
Folders = Annotated[
    list[Path],
    typer.Argument(metavar="FOLDER", help="Data folders: questions.json, subtitles.json and episodes/."),
]


@app.command("all")
def make_all(folders: Folders, text: Text = "minilm", detector: Detector = "stage") -> None:
    """Extract word vectors and regions of data folders."""
    from stage.commands.progress import progress_bar
    from stage.data.extraction import extract_folder
    from stage.features.registry import load_detector, load_text_encoder

    _print_notes(folders)
    encoder, loaded_detector = load_text_encoder(text), load_detector(detector)
    for folder in folders:
        with progress_bar(f"Features of {folder}") as progress:
            notes = extract_folder(folder, encoder, loaded_detector, progress)
        for note in notes:
            echo(f"{folder}: {note}", file=sys.stderr)
        echo(f"{folder / 'features'}: word vectors and regions")


def _print_notes(folders: list[Path]) -> None:
    """Print notes on data folders. Raises InputError naming all that is missing, before any model is loaded."""
    from stage.data.layouts.folder import notes_of
    from stage.data.layouts.registry import check_folders

    check_folders(folders)
    for folder in folders:
        for note in notes_of(folder):
            echo(f"{folder}: {note}", file=sys.stderr)


@app.command("text")
def make_text(folders: Folders, text: Text = "minilm") -> None:
    """Extract word vectors of questions and subtitles."""
    from stage.commands.progress import progress_bar
    from stage.data.extraction import extract_words
    from stage.features.registry import load_text_encoder

    _print_notes(folders)
    encoder = load_text_encoder(text)
    for folder in folders:
        with progress_bar(f"Word vectors of {folder}") as progress:
            extract_words(folder, encoder, progress)
        echo(f"{folder / 'features'}: word vectors")


@app.command("regions")
def make_regions(
    videos: Annotated[
        Path,
        typer.Argument(
            metavar="VIDEOS", help="A folder of films, or of folders with frame images (3 per second)."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write; DATA/features for a data folder DATA.")
    ],
    detector: Detector = "stage",
    concepts: Annotated[
        bool,
        typer.Option(
            "--concepts", help="Use the words of the regions' labels as their features (visual concepts)."
        ),
    ] = False,
    text: Annotated[str, typer.Option(help="Text encoder for --concepts.")] = "minilm",
) -> None:
    """Extract regions of all films below a folder.

    For a data folder, only the frames that its questions need are processed.
    """
    from stage.commands.progress import progress_bar
    from stage.data.extraction import frames_to_extract
    from stage.data.layouts import folder
    from stage.features.extraction import extract_regions
    from stage.features.regions.visual_concepts import ConceptDetector
    from stage.features.registry import load_detector, load_text_encoder
    from stage.wording import counted

    frames = None
    if folder.matches(out.parent):
        _print_notes([out.parent])
        frames = frames_to_extract(out.parent, videos)
    loaded_detector = load_detector(detector)
    if concepts:
        loaded_detector = ConceptDetector(loaded_detector, load_text_encoder(text))
    with progress_bar("Regions") as progress:
        extracted = extract_regions(videos, out, loaded_detector, progress, frames)
    for note in extracted.notes:
        echo(f"{videos}: {note}", file=sys.stderr)
    echo(f"{out}: regions of {counted(len(extracted.frame_counts), 'clip')}")
