"""Concept words: the words of a question that are grounded in frames."""

from __future__ import annotations

from collections.abc import Collection

from stage.annotation.vocabulary import normalise_word

# Grammatical words, which name nothing that can be seen.
FUNCTION_WORDS = frozenset((
    "a", "about", "after", "all", "an", "and", "any", "are", "as", "at", "be", "because", "before",
    "being", "but", "by", "can", "could", "did", "do", "does", "doing", "done", "for", "from", "had",
    "has", "have", "he", "her", "hers", "herself", "him", "himself", "his", "how", "i", "if", "in",
    "into", "is", "it", "its", "itself", "just", "me", "more", "most", "my", "no", "not", "of", "off",
    "on", "or", "other", "our", "out", "over", "own", "s", "same", "she", "should", "so", "some", "such",
    "t", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "through", "to", "too", "under", "until", "up", "very", "was", "we", "were", "what", "when", "where",
    "which", "while", "who", "whom", "why", "will", "with", "would", "you", "your",
))  # fmt: skip


def is_content_word(word: str) -> bool:
    """Whether a word has letters and is no function word."""
    return word.lower() not in FUNCTION_WORDS and any(c.isalpha() for c in word)


def concept_words(text: str, known: Collection[str]) -> tuple[str, ...]:
    """Words of a text that name people and objects, in order, without duplicates.

    known: the words (normalised) that a model was trained to ground. If a text has none of them, all of its
    content words are returned.
    """
    words = list(dict.fromkeys(text.split()))
    concepts = [word for word in words if normalise_word(word) in known]
    return tuple(concepts or [word for word in words if is_content_word(word)])
