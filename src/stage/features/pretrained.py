"""Loading Hugging Face models: what can fail, and progress of downloads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

LOADING_ERRORS = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError)
"""What transformers and safetensors raise for a model that is missing, incomplete or of the wrong type."""


@contextmanager
def download_progress(*, local: bool) -> Iterator[None]:
    """Show the progress bars of transformers for a download only: loading a local model takes no time."""
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    if local:
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
