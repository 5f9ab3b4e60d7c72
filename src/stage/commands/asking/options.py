"""The options of all commands that answer questions: who answers, and with which models"""

from __future__ import annotations

from typing import Annotated

import typer

ANSWERERS = (
    "A packaged model by name, a model folder, zero-shot, vlm:NAME or vlm:FOLDER of a vision-language model, "
    "openai:URL#MODEL of a server, or auto, which takes the best of these for each film."
)
Model = Annotated[str, typer.Option(help=f"Who answers. {ANSWERERS}")]
Detector = Annotated[
    str | None,
    typer.Option(help="A region detector, such as onnx:FILE, for answerers that leave the choice."),
]
Subtitles = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|auto",
        help="A .srt, .vtt, .ass or .ssa file, or auto to have what is said heard; by default the film's own "
        "subtitle track, if any.",
    ),
]
ImageText = Annotated[
    str | None,
    typer.Option(
        help="An image-text encoder (CLIP, SigLIP), for answerers that can use one: name or folder."
    ),
]
