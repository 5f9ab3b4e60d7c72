"""`stage subtitles`: write what is said in a film as a subtitle file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stage.commands import Overwrite
from stage.terminal import echo
from stage.wording import counted


def subtitles(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A film with sound.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The subtitle file: .srt or .vtt.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="A Whisper: a name such as base or large-v3, OWNER/NAME of a hub, or a folder in CTranslate2's "
            "format; by default base, from the packages if they are installed."
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="The language that is spoken, such as en; detected by default."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write what is said in a film as a subtitle file.

    The film's sound is heard by a Whisper model. Where nobody speaks nothing is
    written; if nobody ever does, no file is, and the exit code is 1.
    """
    from stage.commands import NEGATIVE
    from stage.commands.progress import progress_bar
    from stage.errors import InputError
    from stage.io import check_output
    from stage.speech import subtitles_of_sound
    from stage.speech.subtitle_file import SUBTITLE_FILE, write_subtitles

    check_output(output, SUBTITLE_FILE, [video], overwrite)
    with progress_bar("Listening") as progress:
        transcript = subtitles_of_sound(video, model=model, language=language, progress=progress)
    if not transcript.has_sound:
        raise InputError(f"{video}: has no sound track that can be decoded; give a film with sound")
    if transcript.cues:
        write_subtitles(output, transcript.cues)
    for note in transcript.notes:
        echo(f"note: {note}", file=sys.stderr)
    if not transcript.cues:
        echo(f"{output}: not written, since nobody was heard to speak")
        raise typer.Exit(NEGATIVE)
    echo(f"{output}: {counted(len(transcript.cues), 'subtitle')}")
