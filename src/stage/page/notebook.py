"""Evidence in a notebook: the answer, one picture with boxes, and when it is shown"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import escape

from stage.page.colours import LIGHT
from stage.page.pictures import Gallery
from stage.page.render import environment
from stage.page.views import frames_to_show, key_frame, question_view
from stage.types import Evidence, Image

MOST_BYTES = 120_000
"""Of a picture as JPEG."""
MOST_NOTES = 6


def frame_to_show(evidence: Evidence) -> int | None:
    """The numbered frame that is shown: that of the predicted span with the best boxes; None if there is no frame."""
    return key_frame(evidence) if frames_to_show(evidence) else None


def render_evidence(evidence: Evidence, pictures: Mapping[int, Image]) -> str:
    """A self-contained piece of HTML without scripts, whose styles affect nothing else.

    pictures: numbered frame -> image, (height, width, 3) RGB, for `frame_to_show`, or nothing.
    """
    gallery, shown = Gallery(), frame_to_show(evidence)
    with_image = [frame for frame in pictures if frame == shown]
    view = question_view(evidence, 1, with_image, lambda frame: gallery.add(pictures[frame]))
    encoded = gallery.encode(MOST_BYTES)
    notes = list(view.notes[:MOST_NOTES])
    if more := len(view.notes) - len(notes):
        notes.append(f"and {more:,} more")
    return (
        environment()
        .get_template("notebook.html.jinja")
        .render(
            q=view,
            frame=next((frame for frame in view.frames if frame.picture is not None), None),
            picture=encoded[0] if encoded else None,
            colours=LIGHT.words,
            mark=f"rgb({LIGHT.mark} / .75)",
            notes=notes,
        )
    )


def lines(texts: Sequence[str]) -> str:
    """Lines of text below answers, as HTML."""
    return "".join(f'<div style="font-size:13px;margin:4px 0">{escape(text)}</div>' for text in texts)
