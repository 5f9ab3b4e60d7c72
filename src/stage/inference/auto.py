"""The answerer `auto`: for each film the one that is right most often on films of its kind"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import cast

from stage.errors import InputError
from stage.inference.answerer import Answerer, DataSetAnswers, Kind, OpenFilm, Setup
from stage.inference.familiarity import is_sitcom
from stage.inference.model_folder import DEFAULT_MODEL
from stage.inference.names import module_of
from stage.inference.trained import TrainedAnswerer
from stage.inference.trained import load as load_trained
from stage.media.film import Film
from stage.types import Progress

ZERO_SHOT, PEOPLE = "zero-shot", "people"


def load(spec: str | Path, setup: Setup) -> AutoAnswerer:
    """The answerer `auto`."""
    return AutoAnswerer(setup)


@dataclass(frozen=True, eq=False)
class AutoAnswerer(Answerer):
    """The packaged model for episodes of the sitcom, the zero-shot answerer for all other films."""

    setup: Setup

    @property
    def name(self) -> str:
        """As in `Answerer`."""
        return "auto"

    @cached_property
    def sitcom(self) -> TrainedAnswerer:
        """The packaged model of the sitcom."""
        return load_trained(DEFAULT_MODEL, Setup())

    @cached_property
    def zero_shot(self) -> Answerer:
        """The zero-shot answerer."""
        return cast(Kind, import_module(module_of(ZERO_SHOT))).load(ZERO_SHOT, self.setup)

    def look_at(
        self, film: Film, *, cache: str | Path | None = None, progress: Progress | None = None
    ) -> OpenFilm:
        """As in `Answerer`: by the one that suits the film, with the reason."""
        if is_sitcom(film.video, None if cache is None else Path(cache)):
            chosen: Answerer = self.sitcom
            reason = "the film looks like the drawn episodes that it was trained on"
        else:
            chosen = self.zero_shot
            reason = (
                "the film is no episode of the sitcom, and of the answerers that need no network this one is right "
                "most often about others"
            )
        opened = chosen.look_at(film, cache=cache, progress=progress)
        if opened.answered_by.record is None:  # without a detector it was never measured
            reason = "the film is no episode of the sitcom, and other answerers have to be named"
        return replace(opened, answered_by=replace(opened.answered_by, reason=reason))

    def answers(self, data: str | Path, *, for_scores: bool = False, fast: bool = False) -> DataSetAnswers:
        """As in `Answerer`: by a packaged model that reads the data set's features, or else by zero-shot."""
        candidates: tuple[Callable[[], Answerer], ...] = (
            lambda: self.sitcom,
            lambda: load_trained(PEOPLE, self.setup),
            lambda: self.zero_shot,
        )
        for candidate in candidates:  # each is loaded only if those before it can't read the data set
            try:
                chosen = candidate()
                opened = chosen.answers(data, for_scores=for_scores, fast=fast)
            except InputError as error:
                refusal = error
                continue
            return replace(opened, notes=(f"{data}: answered by {chosen.name}", *opened.notes))
        raise refusal
