"""Evidence pages: one self-contained HTML file."""

from stage.page.render import render, write_page
from stage.page.views import frames_to_show

__all__ = ["frames_to_show", "render", "write_page"]
