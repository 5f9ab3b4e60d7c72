"""Truth of the published sitcom, made and changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stage.io import to_json
from stage.sitcom.episodes import make_episode, truth_of


def truth(split: str, seed: int, index: int, questions: int) -> str:
    return to_json(truth_of(make_episode(split, seed, index, questions)))


def change(path: Path, edit: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
