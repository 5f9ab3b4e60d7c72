"""Visual concepts: the nouns of questions and right answers, and a person's word on which can't be seen."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stage.annotation.questions import read_questions
from stage.annotation.vocabulary import fold
from stage.collecting.tagging import Tagger
from stage.errors import InputError
from stage.io import write_text
from stage.media.subtitles import tokenise
from stage.types import Question

COLUMNS = ["noun", "count", "visual"]
VISUAL = {"yes": True, "no": False}
LOOKED_AT = 600
"""The most frequent nouns, which the authors looked at one by one."""


@dataclass(frozen=True, slots=True)
class Noun:
    """How often a noun (folded) is in the questions, and whether it names what can be seen."""

    count: int
    visual: bool = True


def read_tokenised(path: Path) -> list[Question]:
    """Questions whose texts are words and signs with blanks between, as TVQA+'s are and TVQA's are not.

    A box is known by a word of its question, so words have to be the same for whoever reads the annotation.
    """
    return [
        replace(q, text=tokenise(q.text), answers=tuple(map(tokenise, q.answers)))
        for q in read_questions(path)
    ]


def nouns_of(question: Question, tagger: Tagger) -> list[str]:
    """The nouns of a question and its right answer as they are written there, in order, repeated ones too."""
    texts = [question.text]
    if question.answer_index is not None:
        texts.append(question.answers[question.answer_index])
    sentences = [text.split() for text in texts]
    return [
        word
        for words in sentences
        for word, noun in zip(words, tagger.nouns(words), strict=True)
        if noun and any(map(str.isalnum, word))
    ]


def concepts_of(question: Question, tagger: Tagger, nouns: Mapping[str, Noun]) -> tuple[str, ...]:
    """What boxes are drawn for: nouns as written at their first place, without those judged not visual."""
    written: dict[str, str] = {}
    for word in nouns_of(question, tagger):
        written.setdefault(fold(word), word)
    return tuple(word for noun, word in written.items() if noun not in nouns or nouns[noun].visual)


def count_nouns(questions: Iterable[Question], tagger: Tagger) -> Counter[str]:
    """Folded noun -> how often it is in questions and right answers."""
    return Counter(fold(word) for question in questions for word in nouns_of(question, tagger))


def with_counts(counts: Mapping[str, int], judged: Mapping[str, Noun]) -> dict[str, Noun]:
    """New counts with the judgements that were made; a noun judged not visual is kept if it is not found now."""
    kept = {noun: Noun(0, visual=False) for noun, known in judged.items() if not known.visual}
    return kept | {
        noun: Noun(count, noun not in judged or judged[noun].visual) for noun, count in counts.items()
    }


def read_nouns(path: Path) -> dict[str, Noun]:
    """Folded noun -> its count and judgement. Raises InputError naming the line that can't be read."""
    try:
        rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: can't be read ({error}); check the path") from None
    if not rows or rows[0] != COLUMNS:
        raise InputError(f"{path}: is no list of nouns; its first line should be {','.join(COLUMNS)}")
    nouns: dict[str, Noun] = {}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(COLUMNS) or not row[1].strip().isdecimal():
            raise InputError(f"{path}, line {number}: is not a noun, its count, and yes or no")
        noun, count, visual = (cell.strip() for cell in row)
        if visual.lower() not in VISUAL:
            raise InputError(f"{path}, line {number}: visual is {visual!r} for {noun!r}; write yes or no")
        if fold(noun) in nouns:
            raise InputError(f"{path}, line {number}: {noun!r} is there twice; leave one")
        nouns[fold(noun)] = Noun(int(count), VISUAL[visual.lower()])
    return nouns


def write_nouns(path: Path, nouns: Mapping[str, Noun]) -> None:
    """The most frequent first, as a table that any spreadsheet opens."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for word, noun in sorted(nouns.items(), key=lambda item: (-item[1].count, item[0])):
        table.writerow([word, noun.count, "yes" if noun.visual else "no"])
    write_text(path, text.getvalue())


def share_of_most_frequent(counts: Counter[str], most: int = LOOKED_AT) -> float:
    """How much of all nouns the most frequent make up, in [0, 1]."""
    return sum(count for _, count in counts.most_common(most)) / max(1, counts.total())
