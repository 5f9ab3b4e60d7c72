"""Features that can be used: finite numbers, which float16 can hold. Checked where they are made, stored and read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from stage.errors import InputError
from stage.types import Array, Regions

LARGEST = float(np.finfo(np.float16).max)
"""The largest number of float16, in which features are stored."""
HALF_MAGNITUDE, HALF_INFINITY = np.uint16(0x7FFF), 0x7C00
"""Of float16: the bits without the sign, and those of infinity. NaN has larger ones."""


def all_finite(values: npt.NDArray[np.floating]) -> bool:
    """Whether there is no NaN and no infinity among the values. Quick, since all that is read is checked."""
    if values.dtype == np.float16:
        bits = values.view(np.uint16) & HALF_MAGNITUDE
        return int(bits.max(initial=0)) < HALF_INFINITY
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduce(values, axis=None)
    return bool(np.isfinite(total) or np.isfinite(values).all())


def first_unusable(arrays: Iterable[Array]) -> int | None:
    """The position of the first array with NaN or values too large for float16; None if there is none."""
    usable = (bool((np.abs(array) <= LARGEST).all()) for array in arrays)
    return next((i for i, good in enumerate(usable) if not good), None)


def check_made(vectors: Sequence[Array], texts: Sequence[str], encoder: str) -> None:
    """Raises InputError naming the first text whose word vectors can't be used. encoder: which has made them."""
    if (bad := first_unusable(vectors)) is not None:
        raise InputError(
            f"text encoder {encoder}: its vectors of {texts[bad]!r} contain NaN or values that float16 can't hold; "
            "use other weights"
        )


def check_detected(regions: Regions, where: str, detector: str) -> None:
    """Raises InputError if regions as a detector has made them can't be used. where: the film and the frame."""
    if first_unusable([regions.features]) is not None:
        raise InputError(
            f"{where}: region features of {detector} contain NaN or values that float16 can't hold; use other weights"
        )
    if not (np.isfinite(regions.boxes).all() and np.isfinite(regions.scores).all()):
        raise InputError(f"{where}: boxes or scores of {detector} are not finite; use other weights")
