"""`stage find`: the moments of a film that show what a phrase names"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stage.commands import Overwrite
from stage.commands.asking.options import Detector, ImageText, Subtitles
from stage.terminal import PlainConsole, echo

if TYPE_CHECKING:
    from stage.types import Clip
    from stage.zero_shot.found import FoundMoments


def find(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A film: any file with a video track.")],
    phrase: Annotated[str, typer.Argument(help="What to find, such as 'the man with the party hat'.")],
    subtitles: Subtitles = None,
    detector: Detector = None,
    image_text: ImageText = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="Find so many moments at most.")] = 5,
    report: Annotated[Path | None, typer.Option(help="Also write a page to this file (.html).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the moments as JSON.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Find the moments of a film that show what a phrase names.

    Prints them best first: the span, how likely it is, beside the other
    moments and none at all, and boxes of the words that were recognised.
    Nothing is trained: words are held against what a detector recognises,
    and against what is said.
    """
    from stage.commands.asking.opening import open_with_progress
    from stage.commands.progress import progress_bar
    from stage.features.registry import kind_of_detector
    from stage.inference.answerer import Setup
    from stage.inference.films import HEARD
    from stage.io import check_output
    from stage.page import frames_to_show, render, write_page
    from stage.page.render import EVIDENCE_PAGE, OF_MOMENTS
    from stage.zero_shot.answerer import ZeroShot, checked_phrase

    if report:
        inputs = [video, *([Path(subtitles)] if subtitles and subtitles != HEARD else [])]
        check_output(report, EVIDENCE_PAGE, inputs, overwrite)
    checked_phrase(phrase)  # errors in the input are reported before a model is loaded
    if detector:
        kind_of_detector(detector)
    opened = open_with_progress(video, subtitles)
    answerer = ZeroShot.from_setup(Setup(detector, image_text))
    with progress_bar("Processing the film") as progress:
        film = answerer.look_at(opened, progress=progress)
    found = film.find(phrase, top)
    if as_json:
        echo(json.dumps(found.to_json(phrase, film.clip)))
    else:
        _print(found, film.clip)
    if report and found.evidence:  # last, so that a page that can't be written doesn't cost the moments
        entries = [(shown, film.pictures(frames_to_show(shown))) for shown in found.evidence]
        write_page(report, render(entries, title=f"{phrase} in {film.film.name}", words=OF_MOMENTS))
        echo(f"evidence page: {report}", file=sys.stderr if as_json else sys.stdout)


def _print(found: FoundMoments, clip: Clip) -> None:
    from stage.page.answered_by import who_answered
    from stage.types import FRAMES_PER_SECOND
    from stage.wording import percentage, span_text

    console = PlainConsole()
    if not found.moments:
        console.print("found nowhere")
    for moment in found.moments:
        console.print(f"{span_text(moment.span, clip.duration)}, {percentage(moment.probability)}")
        for word in dict.fromkeys(words.word for words in moment.boxes):
            best = max((w for w in moment.boxes if w.word == word), key=lambda words: words.boxes[0].score)
            corners = ", ".join(f"{c:.0f}" for c in best.boxes[0].corners)
            time = best.frame / FRAMES_PER_SECOND
            console.print(f"  {word}: box ({corners}) at {time:.1f} s, score {best.boxes[0].score:.2f}")
    if found.evidence and (by := found.evidence[0].answered_by):
        console.print(who_answered(by), soft_wrap=True)
    for note in found.notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True)
