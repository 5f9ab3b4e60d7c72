"""A question to annotate, and files as the annotation page saves them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from stage.collecting.nouns import concepts_of
from stage.collecting.task import Task, render_task
from stage.types import Question

QUESTION = Question(
    5,
    "film",
    "What is Mia holding when Leo plays the guitar ?",
    ("A mug .", "A book for Mia ."),
    1,
    (1.0, 6.5),
)


@dataclass(frozen=True)
class WordList:
    """A tagger with a fixed list of nouns."""

    words: frozenset[str] = frozenset(("mia", "leo", "guitar", "mug", "book", "plan"))

    def nouns(self, words: Sequence[str]) -> list[bool]:
        return [word.lower() in self.words for word in words]


PIECES = ["[UNK]", "mia", "plays", "gui", "##tar", "?"]


def tagger_folder(path: Path, nouns: Sequence[str], labels: Sequence[str]) -> Path:
    """A token classifier without layers that gives label 0 to some wordpieces and label 1 to all others."""
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(PIECES)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[UNK]").save_pretrained(
        path
    )
    config = BertConfig(
        vocab_size=len(PIECES), hidden_size=2, num_hidden_layers=0, num_attention_heads=1, intermediate_size=2,
        max_position_embeddings=16, id2label=dict(enumerate(labels)),
    )  # fmt: skip
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
        model.bert.embeddings.LayerNorm.weight.fill_(1)
        for i, piece in enumerate(PIECES):
            model.bert.embeddings.word_embeddings.weight[i, 0 if piece in nouns else 1] = 1
        model.classifier.weight.copy_(torch.eye(2))
    model.save_pretrained(path)
    return path


def content(html: str) -> dict[str, Any]:
    """What the page's script reads."""
    found = re.search(r'<script type="application/json" id="task">(.*?)</script>', html, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def box(
    label: str, left: float = 10, top: float = 8, width: float = 40, height: float = 20
) -> dict[str, Any]:
    return {"label": label, "left": left, "top": top, "width": width, "height": height}


def saved(path: Path, task: dict[str, Any], **changes: Any) -> Path:
    """A file as the page saves it when question 5 is finished."""
    frames = {
        "7": {"boxes": [box("Mia"), box("book", 60)], "not_visible": ["Leo", "guitar"]},
        "13": {"boxes": [], "not_visible": ["Mia", "Leo", "guitar", "book"]},
    }
    question = {"qid": 5, "span": [1.4, 5.2], "frames": frames, "finished": True} | changes
    head = {key: task[key] for key in ("format", "clip", "width", "height", "frame_count")}
    path.write_text(json.dumps(head | {"questions": [question]}))
    return path


def written(folder: Path, task: Task, *questions: Question, name: str = "film.html") -> Path:
    """The page of a task, with these questions in place of its own: their concepts are Mia, Leo, guitar and book."""
    if questions:
        concepts = tuple(concepts_of(question, WordList(), {}) for question in questions)
        task = replace(task, questions=questions, concepts=concepts)
    page = folder / name
    page.write_text(render_task(task), "utf-8")
    return page
