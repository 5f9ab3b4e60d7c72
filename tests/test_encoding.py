"""Text files are UTF-8 whatever the locale, and a word is one word however its accents are stored."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samples.annotation import QUESTION
from samples.collecting import WordList
from stage.annotation.concept_words import concept_words
from stage.annotation.labels import positive_regions
from stage.annotation.vocabulary import build_vocabulary, fold_case, normalise_word, object_vocabulary
from stage.collecting.nouns import nouns_of
from stage.features.text.glove import GloveEncoder
from stage.metrics import evaluate
from stage.page.colours import word_colours
from stage.types import Box, Prediction, Question, WordBoxes

PACKAGE = Path(__file__).parents[1] / "src" / "stage"
ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
COMPOSED = unicodedata.normalize("NFC", "Zoë")
DECOMPOSED = unicodedata.normalize("NFD", "Zoë")
NO_TEXT = (
    "av",
    "PIL.Image",
    "gzip",
    "os",
    "cls",
    "FeatureStore",
    "_Search",
    "answerer",
    "Answerer.from_pretrained(model)",
)
"""What `open` is an attribute of where it opens no text."""


def calls_without_encoding(path: Path) -> Iterator[str]:
    """Calls of a module that open, read or write text in the encoding of the locale."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        by_attribute = isinstance(node.func, ast.Attribute)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        named = any(keyword.arg == "encoding" for keyword in node.keywords)
        modes = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        without = (
            (by_attribute and name == "read_text" and not (named or node.args))
            or (by_attribute and name == "write_text" and not (named or len(node.args) > 1))
            or (name in ("open", "fdopen", "NamedTemporaryFile", "TextIOWrapper") and owner not in NO_TEXT
                and not named and not any("b" in mode for mode in modes))
        )  # fmt: skip
        if without:
            yield f"{path.relative_to(PACKAGE)}:{node.lineno}: {name}"


def test_no_call_reads_or_writes_text_in_the_encoding_of_the_locale() -> None:
    assert [call for path in sorted(PACKAGE.rglob("*.py")) for call in calls_without_encoding(path)] == []


def test_calls_without_an_encoding_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    lines = ["p.read_text()", "p.write_text(x)", "open(p)", "p.open('w')", "p.read_text(errors='replace')"]
    fine = ["p.read_text('utf-8')", "p.write_text(x, 'utf-8')", "open(p, 'rb')", "p.open(encoding='utf-8')"]
    (tmp_path / "module.py").write_text("\n".join([*lines, *fine]), "utf-8")
    assert len(list(calls_without_encoding(tmp_path / "module.py"))) == len(lines)


ROUND_TRIP = """
import locale, sys
from dataclasses import replace
from pathlib import Path
from stage.annotation.questions import read_questions, write_questions
from stage.annotation.vocabulary import read_vocabulary, write_vocabulary
from stage.collecting.nouns import Noun, read_nouns, write_nouns
from stage.inference.model_folder import load_model, save_model
from stage.page.render import write_page
from stage.training.config import load_config

assert locale.getpreferredencoding(False).lower().replace("-", "") != "utf8"
folder, model, word = Path(sys.argv[1]), sys.argv[2], "Zo\\xeb \\u0416\\u0430\\u043d\\u043d\\u0430"
assert read_questions(folder / "lines.jsonl")[0].text == word
assert str(load_config(folder / "run.yaml").output) == word
write_questions(folder / "out.json.gz", read_questions(folder / "lines.jsonl"))
assert read_questions(folder / "out.json.gz") == read_questions(folder / "lines.jsonl")
write_vocabulary(folder / "words.json", {word: 1})
assert read_vocabulary(folder / "words.json") == {word: 1}
write_nouns(folder / "nouns.csv", {word.lower(): Noun(1)})
assert read_nouns(folder / "nouns.csv") == {word.lower(): Noun(1)}
write_page(folder / "page.html", word)
assert (folder / "page.html").read_bytes().decode("utf-8") == word
save_model(replace(load_model(model), concepts=(word,)), folder / "model", card=word)
assert load_model(str(folder / "model")).concepts == (word,)
assert (folder / "model" / "card.md").read_bytes().decode("utf-8") == word
"""


@pytest.mark.slow
def test_files_are_the_same_in_a_locale_that_is_not_utf_8(tmp_path: Path, random_model: Path) -> None:
    word = "Zoë Жанна"
    line = f'{{"qid": 1, "vid_name": "c", "q": "{word}", "a0": "a\u2028b", "a1": "b"}}\n'
    (tmp_path / "lines.jsonl").write_text(line, "utf-8")
    (tmp_path / "run.yaml").write_text(f"output: {word}\ndata: {{train: a, val: b}}\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", ROUND_TRIP, tmp_path, random_model],
        env={**os.environ, **ASCII_LOCALE}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("word", ["Zoë", "ÉCOLE", "İstanbul", "ῼ", "D’Été", "日本", "plain"])
def test_a_word_is_the_same_however_its_accents_are_stored(word: str) -> None:
    forms = [unicodedata.normalize(form, word) for form in ("NFC", "NFD")]
    assert len(set(map(normalise_word, forms))) == len(set(map(fold_case, forms))) == 1
    assert normalise_word(normalise_word(word)) == normalise_word(word)


def with_label(text: str, label: str) -> Question:
    box = Box(0, 0, 50, 50, label)
    return replace(QUESTION, text=text, answers=(text, "no"), answer_index=0, boxes={1: (box,)})


@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("label", [COMPOSED, DECOMPOSED])
def test_a_label_keeps_its_class_in_the_map_and_its_training_labels(written: str, label: str) -> None:
    question = with_label(f"{written} sits", label)
    assert object_vocabulary([question]) == [COMPOSED.lower()]
    assert len([word for word in build_vocabulary([question]) if word.startswith("z")]) == 1
    grounded = WordBoxes(0, 1, written, (Box(0, 0, 50, 50, written, 0.9),))
    predicted = Prediction(question.qid, question.clip, 0, (0.9, 0.1), ((0, 1), (0, 1)), (grounded,))
    scores = evaluate([predicted], [question])
    assert scores.grounding_map == 1
    assert list(scores.per_class) == [COMPOSED.lower()]
    detected = np.array([[0, 0, 50, 50]], np.float32)
    assert positive_regions([written], [question.boxes[1]], [detected]).tolist() == [[0, 0, 0]]
    assert concept_words(question.text, set(object_vocabulary([question]))) == (written,)
    assert word_colours([label]) == {normalise_word(written): 0}


@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
def test_taggers_and_glove_know_a_word_however_its_accents_are_stored(tmp_path: Path, written: str) -> None:
    tagger = WordList(frozenset((COMPOSED.lower(),)))
    assert nouns_of(with_label(f"{written} sits", written), tagger) == [written] * 2
    (tmp_path / "vectors.txt").write_text(f"{COMPOSED.lower()} 1 2\nsits 3 4\n", "utf-8")
    assert GloveEncoder.read(tmp_path / "vectors.txt").encode([f"{written} sits"])[0].tolist() == [
        [1, 2],
        [3, 4],
    ]


def test_training_labels_keep_curly_apostrophes_apart_as_in_the_release() -> None:
    boxes, detected = [[Box(0, 0, 50, 50, "D’Onofrio")]], [np.array([[0, 0, 50, 50]], np.float32)]
    assert positive_regions(["D'Onofrio"], boxes, detected).tolist() == []
    assert positive_regions(["d’onofrio"], boxes, detected).tolist() == [[0, 0, 0]]
