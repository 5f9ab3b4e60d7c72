"""`stage features`: extract word vectors and region features."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stage.terminal import echo

if TYPE_CHECKING:
    from stage.features.protocols import RegionDetector

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
    typer.Option(
        help="Region detector: stage, onnx:FILE[:LABELS], or a transformers object detector (folder or hub name); "
        "concepts:TEXT_ENCODER+DETECTOR for the words of its labels (visual concepts)."
    ),
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
        _print_kept_concepts(folder / "features", loaded_detector)
        with progress_bar(f"Features of {folder}") as progress:
            notes = extract_folder(folder, encoder, loaded_detector, progress)
        for note in notes:
            echo(f"{folder}: {note}", file=sys.stderr)
        _print_detector_notes(loaded_detector)
        echo(f"{folder / 'features'}: word vectors and regions")


def _print_notes(folders: list[Path]) -> None:
    """Print notes on data folders. Raises InputError naming all that is missing, before any model is loaded."""
    from stage.data.layouts.folder import notes_of
    from stage.data.layouts.registry import check_folders

    check_folders(folders)
    for folder in folders:
        for note in notes_of(folder):
            echo(f"{folder}: {note}", file=sys.stderr)


def _print_kept_concepts(features: Path, detector: RegionDetector) -> None:
    """Print that visual concepts of frames that are stored already stay those of the detector that found them."""
    from stage.features.names import VISUAL_CONCEPTS
    from stage.features.store.feature_store import ATTRIBUTES, FeatureStore

    if not detector.name.startswith(VISUAL_CONCEPTS) or not (features / ATTRIBUTES).is_file():
        return
    if FeatureStore.open(features).attributes.regions.startswith(VISUAL_CONCEPTS):
        echo(
            f"{features}: frames that have visual concepts already keep them, whichever detector has found them; "
            "remove it to extract all with this one",
            file=sys.stderr,
        )


def _print_detector_notes(detector: RegionDetector) -> None:
    """Print what a detector has left out so far, and that regions without vectors train no STAGE."""
    from stage.features.names import without_digest
    from stage.features.registry import detector_notes

    for note in detector_notes(detector):
        echo(note, file=sys.stderr)
    if not detector.dim:
        echo(
            f"{detector.name}: regions have labels but no vectors; a model is trained on visual concepts, "
            f"--detector concepts:minilm+{without_digest(detector.name)}",
            file=sys.stderr,
        )


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
            "--concepts",
            help="Use the words of the regions' labels as their features (visual concepts), as with "
            "--detector concepts:TEXT+DETECTOR.",
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
    from stage.features.names import VISUAL_CONCEPTS
    from stage.features.registry import load_detector
    from stage.wording import counted

    frames = None
    if folder.matches(out.parent):
        _print_notes([out.parent])
        frames = frames_to_extract(out.parent, videos)
    loaded_detector = (
        load_detector(f"{VISUAL_CONCEPTS}{text}", detector) if concepts else load_detector(detector)
    )
    _print_kept_concepts(out, loaded_detector)
    with progress_bar("Regions") as progress:
        extracted = extract_regions(videos, out, loaded_detector, progress, frames)
    for note in extracted.notes:
        echo(f"{videos}: {note}", file=sys.stderr)
    _print_detector_notes(loaded_detector)
    echo(f"{out}: regions of {counted(len(extracted.frame_counts), 'clip')}")
