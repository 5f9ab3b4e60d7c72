"""Letters of options: the tokens that spell them, their probabilities, and turning the options round"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from stage.types import Array

LETTERS = string.ascii_uppercase
OPENING = "Answer: ("
"""How the model's reply begins where a letter is asked for: what can follow is a letter."""
LEAST = 0.1
"""Probability of all letters together, below which the model didn't understand that it should write one."""
SPACES = ("", " ", "Ġ", "▁")
"""What tokenizers write for a space, or nothing, before a letter."""


def tokens_of_letters(tokenizer: Any) -> dict[str, tuple[int, ...]]:
    """For each of LETTERS, the tokens that spell it and nothing else, with or without a space before it."""
    known = tokenizer.get_vocab()
    spelled = {
        letter: {known[space + letter] for space in SPACES if space + letter in known} for letter in LETTERS
    }
    return {
        letter: tuple(sorted(i for i in ids if tokenizer.decode([i]).strip() == letter))
        for letter, ids in spelled.items()
    }


def turned(options: int, number: int) -> list[int]:
    """The order of some options in a round: over as many rounds as there are options, each has every letter once."""
    return [(place + number) % options for place in range(options)]


def choice_from_logits(logits: Array, tokens: Sequence[Sequence[int]]) -> tuple[tuple[float, ...], float]:
    """The probability of each letter among all of them, and that of any letter among all tokens.

    logits: (tokens,) of the next token; tokens: those of each letter. Raises ValueError if the logits are not finite.
    """
    logits = logits.astype(np.float64)
    highest = float(logits.max())
    if not np.isfinite(highest) or np.isnan(logits).any():
        raise ValueError("its logits are not finite (NaN)")
    raised = np.exp(logits - highest)
    of_letters = np.array([raised[list(ids)].sum() for ids in tokens])
    total = float(of_letters.sum())
    share = total / float(raised.sum())
    if not total > 0:  # so far below the highest that they vanish: compared among themselves
        best = np.array([logits[list(ids)].max() for ids in tokens])
        of_letters = np.exp(best - best.max())
        total = float(of_letters.sum())
    return tuple((of_letters / total).tolist()), share
