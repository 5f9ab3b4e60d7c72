"""Models of transformers, from a folder or the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

CANT_BE_LOADED = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError)
"""What transformers and safetensors raise of a model that is not there, not whole, or of another kind."""


@contextmanager
def loading(*, local: bool) -> Iterator[None]:
    """Without transformers' progress bars for what is on the disk, which takes no time; with them for a download."""
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    if local:
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
