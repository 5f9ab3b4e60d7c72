"""Letters in the likeliest tokens of a server's reply, and their probabilities"""

from __future__ import annotations

import math
from collections.abc import Sequence

from stage.vlm.chat import Choice
from stage.vlm.letters import LEAST
from stage.vlm.served_wire import Written
from stage.wording import percentage

AROUND = " \t\r\n▁ĠĊ()[]{}*_`\"':.,;"
"""What tokens hold beside a letter: "(A", " A", "A)", "**A"."""
MOST_OPENING = 4
"""Tokens without a letter or digit that a reply may begin with: "**", "(", a new line."""


def choice_from_tokens(
    tokens: Sequence[Written], letters: Sequence[str], name: str
) -> tuple[Choice | None, float]:
    """The probabilities of letters where the reply's first word begins, and that of all letters together.

    None and 0 if no likely token there is a letter.

    The probability of a letter is that of all tokens that spell it. A letter that is not among the tokens that the
    server lists is less likely than the least of them, and gets that much, if so much is left: what isn't known must
    not look impossible.
    """
    place = next((token for token in tokens[:MOST_OPENING] if token.token.strip(AROUND)), None)
    if place is None:
        return None, 0.0
    listed = {likely.token: likely.logprob for likely in (*place.top_logprobs, place)}
    chances = {token: _probability(logprob) for token, logprob in listed.items()}
    of_letters = dict.fromkeys(letters, 0.0)
    for token, chance in chances.items():
        if (letter := token.strip(AROUND)) in of_letters:
            of_letters[letter] += chance
    share = sum(of_letters.values())
    if not 0 < share <= 1.01 or len(place.top_logprobs) < 2:
        return None, 0.0
    if missing := [letter for letter, chance in of_letters.items() if not chance]:
        left = max(0.0, 1 - sum(chances.values())) / len(missing)
        least = min(chances.values())
        of_letters.update({letter: min(least, left) for letter in missing})
    total = sum(of_letters.values())
    notes: tuple[str, ...] = ()
    if share < LEAST:
        notes = (
            f"{name} would write something else than a letter (all letters together have {percentage(share)})",
        )
    return Choice(tuple(chance / total for chance in of_letters.values()), notes=notes), share


def _probability(logprob: float) -> float:
    """0 for what is no logarithm of a probability."""
    return min(1.0, math.exp(logprob)) if logprob <= 0.01 else 0.0
