"""Visual concepts: nouns of questions and right answers, judged visual or not."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from unicodedata import normalize

from stage.annotation.questions import read_questions
from stage.annotation.vocabulary import normalise_word
from stage.collecting.tagging import Tagger
from stage.errors import InputError
from stage.io import OutputKind, starts_with, write_text
from stage.media.subtitles import tokenise
from stage.types import Question

COLUMNS = ["noun", "count", "visual"]
SEPARATORS = {";": "semicolons", "\t": "tabs"}
"""What spreadsheet programs write between columns instead of commas, and its name."""
SHOWN_CHARACTERS = 60
"""Of a line that is not the one expected."""
VISUAL = {"yes": True, "no": False}
NOUN_TABLE = OutputKind("a table of nouns", lambda path: starts_with(path, r"\ufeff?noun,count,visual\s"))
LONGEST_COUNT = 18
"""Characters of a count."""
REVIEWED_NOUNS = 600
"""The most frequent nouns, which the authors reviewed one by one (Sec. 3)."""


@dataclass(frozen=True, slots=True)
class Noun:
    """The number of occurrences of a noun (normalised), and whether it names something visible."""

    count: int
    visual: bool = True


def read_tokenised_questions(path: Path) -> list[Question]:
    """Read questions and tokenise their texts, which TVQA+'s are already and TVQA's are not.

    Boxes are labelled with words of their question, so every reader of the annotation must split it the same way.
    """
    return [
        replace(q, text=tokenise(q.text), answers=tuple(map(tokenise, q.answers)))
        for q in read_questions(path)
    ]


def nouns_of(question: Question, tagger: Tagger) -> list[str]:
    """The nouns of a question and its right answer, as written and in order, with repetitions.

    The tagger gets words in NFC, as its own were.
    """
    texts = [question.text]
    if question.answer_index is not None:
        texts.append(question.answers[question.answer_index])
    sentences = [text.split() for text in texts]
    return [
        word
        for words in sentences
        for word, noun in zip(words, tagger.nouns([normalize("NFC", word) for word in words]), strict=True)
        if noun and any(map(str.isalnum, word))
    ]


def concepts_of(question: Question, tagger: Tagger, nouns: Mapping[str, Noun]) -> tuple[str, ...]:
    """The words to draw boxes for: distinct nouns as first written, without those judged not visual."""
    as_written: dict[str, str] = {}
    for word in nouns_of(question, tagger):
        as_written.setdefault(normalise_word(word), word)
    return tuple(word for noun, word in as_written.items() if noun not in nouns or nouns[noun].visual)


def count_nouns(questions: Iterable[Question], tagger: Tagger) -> Counter[str]:
    """Normalised noun -> its number of occurrences in questions and right answers."""
    return Counter(normalise_word(word) for question in questions for word in nouns_of(question, tagger))


def merge_judgements(counts: Mapping[str, int], judged: Mapping[str, Noun]) -> dict[str, Noun]:
    """New counts with earlier judgements. A noun judged not visual is kept even if it doesn't occur any more."""
    kept = {noun: Noun(0, visual=False) for noun, earlier in judged.items() if not earlier.visual}
    return kept | {
        noun: Noun(count, noun not in judged or judged[noun].visual) for noun, count in counts.items()
    }


def read_nouns(path: Path) -> dict[str, Noun]:
    """Normalised noun -> its count and judgement. Raises InputError naming the first invalid line."""
    try:
        rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: can't be read ({error}); check the path") from None
    if not rows or rows[0] != COLUMNS:
        found = ",".join(rows[0])[:SHOWN_CHARACTERS] if rows else ""
        separators = [name for sign, name in SEPARATORS.items() if found.split(sign) == COLUMNS]
        advice = f"; save it with commas instead of {separators[0]}" if separators else ""
        raise InputError(
            f"{path}: is no table of nouns; its first line should be {','.join(COLUMNS)}, but is {found!r}{advice}"
        )
    nouns: dict[str, Noun] = {}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(COLUMNS) or not (row[1].strip().isdecimal() and len(row[1]) < LONGEST_COUNT):
            raise InputError(f"{path}, line {number}: should be a noun, its count, and yes or no")
        noun, count, visual = (cell.strip() for cell in row)
        if visual.lower() not in VISUAL:
            raise InputError(f"{path}, line {number}: visual is {visual!r} for {noun!r}; write yes or no")
        if normalise_word(noun) in nouns:
            raise InputError(f"{path}, line {number}: {noun!r} occurs twice; remove one of the lines")
        nouns[normalise_word(noun)] = Noun(int(count), VISUAL[visual.lower()])
    return nouns


def write_nouns(path: Path, nouns: Mapping[str, Noun]) -> None:
    """Write a CSV table, most frequent nouns first."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for word, noun in sorted(nouns.items(), key=lambda item: (-item[1].count, item[0])):
        table.writerow([word, noun.count, "yes" if noun.visual else "no"])
    write_text(path, text.getvalue())


def share_of_most_frequent(counts: Counter[str], number: int = REVIEWED_NOUNS) -> float:
    """The share of all occurrences that the most frequent nouns make up, in [0, 1]."""
    return sum(count for _, count in counts.most_common(number)) / max(1, counts.total())
