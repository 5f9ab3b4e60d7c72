"""Fine-tune BERT on a data set's text: masked words and next sentences.

As in Sec. 4.2 of the paper. Sentence pairs are consecutive subtitles, and questions with their right answers; in
half of them, the second sentence is replaced by another pair's. Scores are measured on the text of held-out clips.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from stage.errors import InputError
from stage.features.pretrained import POOLER, download_progress, load_tokenizer, load_weights, loading
from stage.io import writing_into
from stage.lock import locked
from stage.runtime.allocator import keep_freed_memory
from stage.runtime.hardware import best_device
from stage.training.checkpoints import Draws, EveryEpoch, Record, WholeFiles
from stage.training.lr_schedules import warmup_cosine
from stage.training.reporting import EpochReport, interruptible, without_advice
from stage.training.resuming import (
    DATA,
    RUN_SETTINGS,
    SETTINGS,
    EarlierRun,
    Fingerprints,
    find_run,
    start_run,
)
from stage.types import Clip, Progress, Question
from stage.wording import counted

HELD_OUT = 10
"""One clip in this many is held out."""
LONGEST_PAIR = 128
"""Wordpieces."""
WARMUP_SHARE = 0.1
IS_NEXT, IS_OTHER = 0, 1
"""BERT's labels of the second sentence."""


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Two consecutive texts. (A hash of its repr is stored with a run: its name and fields must not change.)"""

    first: str
    second: str


@dataclass(frozen=True, slots=True)
class TextScores:
    """Scores on held-out text: perplexity of masked words, accuracy of next-sentence prediction in [0, 1]."""

    perplexity: float
    next_sentence_accuracy: float


def sentence_pairs(
    questions: Sequence[Question], clips: Sequence[Clip]
) -> tuple[list[SentencePair], list[SentencePair]]:
    """Pairs for training, and held-out ones: those of every tenth clip, or of the last clip if there are fewer.

    Raises InputError if either would be empty.
    """
    training: list[SentencePair] = []
    held_out: list[SentencePair] = []
    of_clip: dict[str, list[Question]] = {}
    for question in questions:
        of_clip.setdefault(question.clip, []).append(question)
    every = min(HELD_OUT, len(clips))
    for i, clip in enumerate(sorted(clips, key=lambda c: c.name)):
        pairs = [SentencePair(a.text, b.text) for a, b in pairwise(clip.sentences)]
        for q in of_clip.get(clip.name, ()):
            if q.answer_index is not None:
                pairs.append(SentencePair(q.text, q.answers[q.answer_index]))
        (held_out if i % every == every - 1 else training).extend(pairs)
    if not training or not held_out:
        raise InputError(
            f"{counted(len(clips), 'clip')}: too little text to fine-tune on and to hold some out; "
            f"give {HELD_OUT} clips or more"
        )
    return training, held_out


class Pairs(Dataset[dict[str, Any]]):
    """Pairs as token ids; in half of them the second text is another pair's. Random by seed, epoch and index."""

    def __init__(self, pairs: Sequence[SentencePair], tokenizer: Any, seed: int) -> None:
        self.pairs, self.tokenizer, self.seed = pairs, tokenizer, seed
        self.epoch = 0
        self.longest = min(LONGEST_PAIR, tokenizer.model_max_length)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = Random(f"{self.seed}/{self.epoch}/{index}")
        pair = self.pairs[index]
        follows = rng.random() < 0.5
        second = pair.second if follows else rng.choice(self.pairs).second
        encoded = self.tokenizer(pair.first, second, truncation=True, max_length=self.longest)
        return {**encoded, "next_sentence_label": IS_NEXT if follows else IS_OTHER}


class PreTraining(pl.LightningModule):
    """BERT with the heads of its two pre-training objectives."""

    def __init__(self, model: Any, learning_rate: float, steps: int) -> None:
        super().__init__()
        self.model = model
        self.learning_rate = learning_rate
        self.steps = steps

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        loss: Tensor = self.model(**batch).loss
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), self.learning_rate, weight_decay=0.01)
        schedule = warmup_cosine(optimizer, self.steps, WARMUP_SHARE)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        self.trainer.train_dataloader.dataset.epoch = self.current_epoch  # type: ignore[union-attr]


def check_replaceable(out: Path, spec: str) -> None:
    """Raises InputError if a model written to this folder would replace its own source, or another model."""
    if out.exists() and out.resolve() == Path(spec).resolve():
        raise InputError(f"{out}: is the model to start from; choose another OUT")
    if (out / "config.json").exists() and not (out / SETTINGS).exists():
        raise InputError(f"{out}: contains another model; choose another OUT")


def finetune(
    spec: str,
    out: Path,
    questions: Sequence[Question],
    clips: Sequence[Clip],
    *,
    epochs: int = 3,
    batch_size: int = 32,
    learning_rate: float = 5e-5,
    seed: int = 2018,
    progress: Progress | None = None,
) -> tuple[TextScores, TextScores]:
    """Fine-tune, and write model and tokenizer to `out`; returns the scores on held-out text before and after.

    spec: a model folder, a hub name, or that of the packaged model. progress: as for `training.loop.train`. An
    interrupted run is resumed from its last epoch, and ends as it would have undisturbed.

    Raises InputError if it had other settings, other text or another model to start from, if there is too little
    text, or if another process works in `out`; KeyboardInterrupt if it is interrupted, with a line on what is kept.
    """
    training, held_out = sentence_pairs(questions, clips)
    settings = {
        "text": spec, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed,
    }  # fmt: skip
    keep_freed_memory()
    pl.seed_everything(seed, verbose=False)
    model, tokenizer = load_bert(spec)
    data = {
        "DATA": {"sentences": hashlib.sha256(repr(training).encode()).hexdigest()[:12]},
        "the model to start from": {"weights": _digest_of(model, tokenizer)},
    }
    with locked(out, "a fine-tuning"):
        run = _find_run(out, settings, data)
        before = text_scores(model, tokenizer, held_out, batch_size, seed)
        steps = epochs * math.ceil(len(training) / batch_size)
        loader = DataLoader(
            Pairs(training, tokenizer, seed),
            batch_size,
            shuffle=True,
            collate_fn=Masking(tokenizer),
            generator=torch.Generator().manual_seed(seed),
        )
        record = Record({DATA: data, RUN_SETTINGS: settings})
        folder = run.checkpoint.parent
        callbacks: list[Callback] = [EveryEpoch(folder), record, Draws(loader)]
        if progress:
            callbacks.append(EpochReport(progress))
        start_run(out, settings, run)
        with without_advice():
            trainer = pl.Trainer(
                max_epochs=epochs, accelerator=best_device(), devices=1, callbacks=callbacks, logger=False,
                enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0,
                # Not SLURM's, see the trainer of `training.loop`.
                plugins=[LightningEnvironment(), WholeFiles(folder)], default_root_dir=folder,
            )  # fmt: skip
            with interruptible(run.checkpoint, "the same command"):
                trainer.fit(
                    PreTraining(model.train(), learning_rate, steps),
                    loader,
                    ckpt_path=run.checkpoint if run.epochs else None,
                    weights_only=True,
                )
        after = text_scores(model, tokenizer, held_out, batch_size, seed)
        with writing_into(out) as partial, download_progress(local=True):
            model.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
        return before, after


def _find_run(out: Path, settings: dict[str, Any], data: Fingerprints) -> EarlierRun:
    """The run in the output folder; nothing is written."""
    advice = "choose another OUT, or remove it"
    # The model to start from may be given by any of its names: its weights are compared.
    run = find_run(out, settings, data, advice=advice, may_differ=("text", "sentences"))
    if run.epochs and run.record is None:
        raise InputError(
            f"{out}: contains a run of an earlier version, which doesn't record its model and its text; {advice}"
        )
    return run


def _digest_of(model: Any, tokenizer: Any) -> str:
    """A hash of an encoder's weights and vocabulary. (The heads may be new.)"""
    digest = hashlib.sha256(json.dumps(sorted(tokenizer.get_vocab().items())).encode())
    for name, weights in model.bert.state_dict().items():
        digest.update(name.encode())
        digest.update(weights.numpy().tobytes())
    return digest.hexdigest()[:12]


class Masking:
    """Pads a batch and selects 15 % of its tokens as BERT does: 80 % masked, 10 % random, 10 % unchanged."""

    def __init__(self, tokenizer: Any, seed: int | None = None) -> None:
        from transformers import DataCollatorForLanguageModeling

        self.collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15, seed=seed)

    def __call__(self, pairs: list[dict[str, Any]]) -> dict[str, Tensor]:
        follows = torch.tensor([pair["next_sentence_label"] for pair in pairs])
        rest = [{k: v for k, v in pair.items() if k != "next_sentence_label"} for pair in pairs]
        return {**self.collate(rest), "next_sentence_label": follows}


def load_bert(spec: str) -> tuple[Any, Any]:
    """A BERT with both pre-training heads, randomly initialised if the checkpoint has none, and its tokenizer.

    Raises InputError if it can't be loaded, is no BERT, lacks weights of its encoder, or can't mask words.
    """
    from transformers import BertForPreTraining

    from stage.features.names import PACKAGED_BERT, without_digest
    from stage.features.text.minilm_asset import transformers_folder

    source = without_digest(spec)
    if source == PACKAGED_BERT:
        with transformers_folder() as folder:
            return load_bert(str(folder))
    local = Path(source).is_dir()
    with loading(source, "BERT", local=local) as config:
        if (
            config.model_type != "bert"
        ):  # RoBERTa has the same weights but counts positions from another number
            raise InputError(
                f"{spec}: is of the kind {config.model_type}, not bert; only a BERT can be fine-tuned"
            )
        tokenizer = load_tokenizer(source, local=local)
        model = load_weights(BertForPreTraining, source, local=local, optional=("cls", POOLER))
    if tokenizer.mask_token is None:
        raise InputError(
            f"{spec}: its tokenizer has no mask token, which masked words need; use that of a BERT"
        )
    tokenizer.model_max_length = min(tokenizer.model_max_length, model.config.max_position_embeddings)
    return model, tokenizer


@torch.inference_mode()
def text_scores(
    model: Any, tokenizer: Any, pairs: Sequence[SentencePair], batch_size: int, seed: int
) -> TextScores:
    """Score a BERT on sentence pairs. The same seed gives the same masks."""
    training = model.training
    model.eval().to(best_device())
    loader = DataLoader(Pairs(pairs, tokenizer, seed), batch_size, collate_fn=Masking(tokenizer, seed))
    loss, masked, right = 0.0, 0, 0
    for batch in loader:
        output = model(**{k: v.to(model.device) for k, v in batch.items() if k != "labels"})
        labels = batch["labels"].to(model.device)
        logits = output.prediction_logits.float()
        loss += float(
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        )
        masked += int((labels != -100).sum())
        predicted = output.seq_relationship_logits.argmax(-1)
        right += int((predicted == batch["next_sentence_label"].to(model.device)).sum())
    model.train(training)
    return TextScores(math.exp(loss / max(masked, 1)), right / len(pairs))
