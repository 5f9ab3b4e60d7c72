"""`openai:`: vision-language models on any server with OpenAI's interface, as answerers"""

from __future__ import annotations

from pathlib import Path

from stage.inference.answerer import Answerer, Setup
from stage.vlm.answerer import VlmAnswerer
from stage.vlm.served_model import ServedModel


def load(spec: str | Path, setup: Setup) -> Answerer:
    """The answerer "openai:URL#MODEL". Raises InputError if no such server can be reached, or has no such model."""
    return VlmAnswerer(ServedModel.connect(str(spec)), setup)
