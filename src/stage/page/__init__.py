"""Evidence -> one HTML file that needs nothing else."""

from stage.page.render import render, write_page

__all__ = ["render", "write_page"]
