"""Words of a question and its answers: which can be looked for, by which forms, and in which colour"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stage.annotation.concept_words import is_content_word
from stage.annotation.vocabulary import normalise_word
from stage.zero_shot.colours import colour_in

PERSON = "person"
"""The label of detectors for people of any kind."""
PEOPLE = frozenset((
    "man", "men", "woman", "women", "boy", "boys", "girl", "girls", "child", "children", "kid", "kids", "baby",
    "person", "people", "persons", "somebody", "someone", "guy", "guys", "lady", "ladies", "gentleman", "human",
    "toddler", "adult", "adults", "teenager", "crowd", "player", "players",
))  # fmt: skip
"""Words for people, who have one label: their vectors tell age and gender apart."""
GARMENTS = {
    "top": ("hat", "cap", "helmet", "hair", "beanie", "crown", "hood", "headband", "beard", "turban", "wig"),
    "upper": (
        "shirt", "t-shirt", "tshirt", "sweater", "jacket", "coat", "vest", "hoodie", "top", "suit", "jersey", "tie",
        "scarf", "costume", "uniform", "blouse", "dress", "robe", "cardigan", "apron", "polo", "sweatshirt", "outfit",
        "clothes", "clothing", "bib",
    ),
    "lower": (
        "trousers", "pants", "jeans", "skirt", "shorts", "leggings", "shoes", "boots", "socks", "sneakers",
    ),
}  # fmt: skip
PART_OF = {word: part for part, words in GARMENTS.items() for word in words}
"""What people wear -> the part of a person's region that shows it (`colours.PARTS`)."""
COLOUR_WORDS = frozenset(("color", "colour", "colors", "colours", "colored", "coloured"))
COUNTED = {
    name: number
    for number, names in enumerate((
        "zero none nobody", "one single", "two both", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ))
    for name in names.split()
}  # fmt: skip


SIZES = dict.fromkeys(("biggest", "bigger", "largest", "larger", "tallest", "taller"), 1) | dict.fromkeys(
    ("smallest", "smaller", "littlest", "tiniest", "shortest"), -1
)
"""Words that ask for a size -> 1 for the large, -1 for the small."""


@dataclass(frozen=True, slots=True)
class Word:
    """A content word of a text."""

    text: str
    """As it was typed."""
    forms: tuple[str, ...]
    """What it is looked for as, normalised: the word alone and, if it ends a phrase such as "baseball bat", that."""
    colour: str | None = None
    """The basic colour (`colours.NAMES`) that it is said to have, "orange" of the shirt in "an orange shirt"."""

    @property
    def key(self) -> str:
        """By which words of several texts are compared."""
        return normalise_word(self.text)

    @property
    def is_person(self) -> bool:
        return self.key in PEOPLE

    @property
    def is_read(self) -> bool:
        """Whether it is a colour or number, which are read from pixels and boxes rather than recognised."""
        return (
            self.key in COLOUR_WORDS
            or self.key in COUNTED
            or self.key == "many"
            or colour_in(self.key) is not None
        )

    @property
    def part(self) -> str | None:
        """The part of a person that shows it, if people wear it."""
        return PART_OF.get(self.key)


def words_of(text: str) -> tuple[Word, ...]:
    """The content words of a tokenised text in order, without names of colours, which are of the word after them."""
    found: list[Word] = []
    before, colour = "", None
    for token in text.split():
        key = normalise_word(token)
        if not is_content_word(token) or "'" in key:  # such as "'s" and "n't"
            before, colour = "", colour if key == "and" else None
        elif named := colour_in(key):
            before, colour = "", named
        elif key in COLOUR_WORDS:
            before, colour = "", None
        else:
            forms = (key, f"{before} {key}") if before else (key,)
            found.append(Word(token, forms, colour))
            before = key
    return tuple(found)


def own_words(candidates: Sequence[Sequence[Word]], question: Sequence[Word]) -> list[tuple[Word, ...]]:
    """Of each candidate the words that neither the question nor all other candidates have."""
    keys = [{word.key for word in words} for words in candidates]
    common = set.intersection(*keys) if keys else set()
    known = common | {word.key for word in question}
    return [tuple(word for word in words if word.key not in known) for words in candidates]


def colours_of(text: str) -> tuple[str, ...]:
    """The basic colours that a tokenised text names, in order."""
    named = (colour_in(normalise_word(token)) for token in text.split())
    return tuple(dict.fromkeys(name for name in named if name))


def asks_colour(question: str) -> bool:
    """Whether a question asks for the colour of something."""
    return any(normalise_word(token) in COLOUR_WORDS for token in question.split())


def asks_count(question: str) -> bool:
    """Whether a question asks how many there are."""
    tokens = [normalise_word(token) for token in question.split()]
    return any(pair == ("how", "many") for pair in pairwise(tokens))


def number_in(text: str) -> int | None:
    """The first number in a text, as a word or in digits; None if there is none."""
    for token in text.split():
        key = normalise_word(token)
        if key in COUNTED:
            return COUNTED[key]
        if key.isascii() and key.isdigit() and len(key) < 4:
            return int(key)
    return None


def side_in(text: str) -> str | None:
    """The side, "left" or "right", that a text says something is on; None if it names none, or both."""
    sides = {normalise_word(token) for token in text.split()} & {"left", "right"}
    return sides.pop() if len(sides) == 1 else None


def size_asked(question: str) -> int | None:
    """1 if a question asks for the largest, -1 for the smallest, None if it asks for no size."""
    return next((SIZES[word] for word in question.lower().split() if word in SIZES), None)
