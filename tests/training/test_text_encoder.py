"""A BERT is fine-tuned on a data set's text, and resumed after a stop."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel, RobertaConfig, RobertaModel

from samples.bert import write_bert
from stage.errors import InputError
from stage.features.registry import load_text_encoder
from stage.features.text.minilm_asset import ASSETS, WEIGHTS
from stage.training.text_encoder import Pairs, PreTraining, finetune, load_bert, sentence_pairs
from stage.types import Clip, Question, Sentence


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


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
    with pytest.raises(KeyboardInterrupt):
        finetune(str(bert), tmp_path, asked, made, epochs=4)
    assert not (tmp_path / "model.safetensors").exists()
    finetune(str(bert), tmp_path, asked, made, epochs=4)
    assert seen == [0, 1, 2, 2, 3]
    saved = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 4 * math.ceil(18 * 3 / 32)
    for text, epochs, message in (
        ((asked, made), 5, "epochs was 4, now 5"),
        (clips(30), 4, r"began with other data \(sentences of DATA\); restore them"),
    ):
        with pytest.raises(InputError, match=message):
            finetune(str(bert), tmp_path, *text, epochs=epochs)


@pytest.mark.slow
def test_a_run_is_resumed_from_the_same_model_by_any_of_its_names(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, made = clips(11)
    start, out = Path(shutil.copytree(bert, tmp_path / "start")), tmp_path / "out"
    finetune(str(start), out, asked, made, epochs=1)
    tuned = load_file(out / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    finetune("./start", out, asked, made, epochs=1)  # it is finished: nothing is trained
    again = load_file(out / "model.safetensors")
    assert all(torch.equal(again[name], tuned[name]) for name in tuned)
    weights = load_file(start / "model.safetensors")
    weights["bert.embeddings.word_embeddings.weight"] += 0.1
    save_file(weights, start / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"\(weights of the model to start from\)"):
        finetune(str(start), out, asked, made, epochs=1)
    checkpoint = torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)
    del checkpoint["record"]
    torch.save(checkpoint, out / "checkpoints" / "last.ckpt")
    with pytest.raises(InputError, match="earlier version, which doesn't record its model and its text"):
        finetune(str(bert), out, asked, made, epochs=1)


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


@pytest.mark.slow
def test_the_packaged_encoder_is_fine_tuned_from_its_packaged_weights() -> None:
    for name in ("minilm", "minilm@53aa51172d14"):
        model, tokenizer = load_bert(name)
        assert model.config.num_hidden_layers == 6
        assert tokenizer.model_max_length == 512
        assert tokenizer.tokenize("Holding!") == ["holding", "!"]
        rows = load_file(ASSETS / WEIGHTS)["embeddings.word_embeddings.weight"]
        assert torch.equal(model.bert.embeddings.word_embeddings.weight, rows.float())
