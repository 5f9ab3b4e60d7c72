"""A BERT is fine-tuned on a data set's text, and resumed after a stop."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertModel,
    BertTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from stage.errors import InputError
from stage.features.registry import load_text_encoder
from stage.training.text_encoder import Pairs, PreTraining, finetune, load_bert, sentence_pairs
from stage.types import Clip, Question, Sentence

WORDS = "what is the mug doing red blue car in kitchen why who mia leo says hello there . ?"


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split()])}
    BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=40,
    )  # fmt: skip
    BertForPreTraining(config).save_pretrained(folder)
    return folder


def clips(count: int) -> tuple[list[Question], list[Clip]]:
    """Every clip says the same kind of thing, so that words can be predicted from their neighbours."""
    made, asked = [], []
    rng = Random(1)
    for i in range(count):
        who, colour = rng.choice(["mia", "leo"]), rng.choice(["red", "blue"])
        lines = [
            f"{who} says hello there .",
            f"the {colour} car is in the kitchen .",
            "why is the mug there ?",
        ]
        sentences = tuple(Sentence(3.0 * n, 3.0 * n + 2, text) for n, text in enumerate(lines))
        made.append(Clip(f"clip{i:02d}", 60, sentences=sentences))
        answers = (f"{who} says hello .", "the mug .")
        asked.append(Question(i, f"clip{i:02d}", "who is in the kitchen ?", answers, 0))
    return asked, made


@pytest.mark.slow
def test_masked_words_are_predicted_better_after_training(bert: Path, tmp_path: Path) -> None:
    asked, made = clips(40)
    before, after = finetune(
        str(bert),
        tmp_path / "tuned",
        asked,
        made,
        epochs=8,
        batch_size=16,
        learning_rate=5e-3,
        progress=False,
    )
    assert after.perplexity < before.perplexity / 3
    assert 0.0 <= after.next_sentence_accuracy <= 1.0
    encoder = load_text_encoder(str(tmp_path / "tuned"))
    assert encoder.encode(["the mug"])[0].shape == (2, 32)
    assert encoder.name != load_text_encoder(str(bert)).name


@pytest.mark.slow
def test_a_stopped_run_is_resumed_from_its_last_epoch(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, made = clips(20)
    seen: list[int] = []

    def stop_in_the_third(module: PreTraining) -> None:
        seen.append(module.current_epoch)
        if seen == [0, 1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(PreTraining, "on_train_epoch_start", stop_in_the_third)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        finetune(str(bert), tmp_path, asked, made, epochs=4, progress=False)
    assert not (tmp_path / "model.safetensors").exists()
    finetune(str(bert), tmp_path, asked, made, epochs=4, progress=False)
    assert seen == [0, 1, 2, 2, 3]
    saved = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 4 * math.ceil(18 * 3 / 32)
    for text, epochs, message in (
        ((asked, made), 5, "epochs was 4, now 5"),
        (clips(30), 4, "sentences was "),
    ):
        with pytest.raises(InputError, match=message):
            finetune(str(bert), tmp_path, *text, epochs=epochs, progress=False)


def test_pairs_follow_each_other_half_of_the_time_and_no_clip_is_in_both_parts(bert: Path) -> None:
    asked, made = clips(40)
    kept, held = sentence_pairs(asked, made)
    assert len(held) == 4 * 3
    assert len(kept) == 36 * 3
    _, tokenizer = load_bert(str(bert))
    pairs = Pairs(kept, tokenizer, seed=1)
    follows = [pairs[i]["next_sentence_label"] for i in range(len(pairs))]
    assert 0.35 < sum(follows) / len(follows) < 0.65
    assert follows == [pairs[i]["next_sentence_label"] for i in range(len(pairs))]
    pairs.epoch = 1
    assert follows != [pairs[i]["next_sentence_label"] for i in range(len(pairs))]


def test_too_little_text_is_refused() -> None:
    with pytest.raises(InputError, match="1 clip: too little text"):
        sentence_pairs(*clips(1))
    kept, held = sentence_pairs(*clips(3))
    assert (len(kept), len(held)) == (2 * 3, 3)


def test_heads_may_be_new_but_the_encoder_must_be_complete(bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bert"
    shutil.copytree(bert, folder)
    BertModel.from_pretrained(bert, add_pooling_layer=False).half().save_pretrained(folder)
    model, _ = load_bert(str(folder))
    assert {weights.dtype for weights in model.parameters()} == {torch.float32}
    expected = BertModel.from_pretrained(folder, dtype=torch.float32).embeddings.word_embeddings.weight
    assert torch.equal(model.bert.embeddings.word_embeddings.weight, expected)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {k: v for k, v in weights.items() if "layer.1" not in k},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(InputError, match=r"16 missing \(bert\.encoder\.layer\.1\."):
        load_bert(str(folder))


def test_only_a_bert_is_fine_tuned(bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "roberta"
    shutil.copytree(bert, folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    RobertaModel(RobertaConfig(vocab_size=30, **sizes)).save_pretrained(folder)
    with pytest.raises(InputError, match="is of the kind roberta, not bert"):
        load_bert(str(folder))
