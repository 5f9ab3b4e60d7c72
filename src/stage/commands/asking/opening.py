"""Opening a film to be asked, with progress where its sound is heard"""

from __future__ import annotations

from pathlib import Path

from stage.commands.progress import progress_bar
from stage.inference.films import HEARD, open_to_ask
from stage.media.film import Film


def open_with_progress(video: Path, subtitles: str | Path | None) -> Film:
    """Open a film and its subtitles, see `open_to_ask`."""
    if str(subtitles) != HEARD:
        return open_to_ask(video, subtitles)
    with progress_bar("Listening") as progress:
        return open_to_ask(video, subtitles, progress)
