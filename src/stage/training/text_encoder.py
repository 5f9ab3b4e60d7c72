"""Fine-tuning a BERT on a data set's text, with masked words and next sentences (Sec. 4.2 of the paper).

Pairs of sentences come from consecutive subtitles and from questions with their right answers; half of the time the
second is another one. What is learnt is measured on the text of clips that are held out.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import RichProgressBar
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from stage.errors import InputError, first_line
from stage.features.hub import CANT_BE_LOADED, loading
from stage.runtime.allocator import keep_freed_memory
from stage.runtime.hardware import best_device
from stage.training.checkpoints import EveryEpoch
from stage.training.lr_schedules import warmup_cosine
from stage.training.resuming import begin, finished_epochs
from stage.types import Clip, Question

HELD_OUT = 10
"""One clip in so many."""
LONGEST_PAIR = 128
WARMUP_SHARE = 0.1
IS_NEXT, IS_OTHER = 0, 1
"""As BERT numbers them."""


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Two texts that follow each other."""

    first: str
    second: str


@dataclass(frozen=True, slots=True)
class TextScores:
    """How well masked words and next sentences of held-out text are told."""

    perplexity: float
    next_sentence_accuracy: float


def sentence_pairs(
    questions: Sequence[Question], clips: Sequence[Clip]
) -> tuple[list[SentencePair], list[SentencePair]]:
    """For training, and held out: the text of every tenth clip, or of the last one of fewer."""
    kept: list[SentencePair] = []
    held: list[SentencePair] = []
    of_clip: dict[str, list[Question]] = {}
    for question in questions:
        of_clip.setdefault(question.clip, []).append(question)
    every = min(HELD_OUT, len(clips))
    for i, clip in enumerate(sorted(clips, key=lambda c: c.name)):
        pairs = [SentencePair(a.text, b.text) for a, b in pairwise(clip.sentences)]
        for q in of_clip.get(clip.name, ()):
            if q.answer_index is not None:
                pairs.append(SentencePair(q.text, q.answers[q.answer_index]))
        (held if i % every == every - 1 else kept).extend(pairs)
    if not kept or not held:
        raise InputError(
            f"{len(clips)} clips hold too little text to fine-tune on and to hold some out; take {HELD_OUT} or more"
        )
    return kept, held


class Pairs(Dataset[dict[str, Any]]):
    """Pairs as token ids; in half of them the second text is another pair's. Fixed by seed, epoch and position."""

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
    """BERT with its two heads."""

    def __init__(self, model: Any, learning_rate: float, steps: int) -> None:
        super().__init__()
        self.model = model
        self.learning_rate = learning_rate
        self.steps = steps

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        loss: Tensor = self.model(**batch).loss
        self.log("train/loss", loss.detach(), prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), self.learning_rate, weight_decay=0.01)
        schedule = warmup_cosine(optimizer, self.steps, WARMUP_SHARE)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        self.trainer.train_dataloader.dataset.epoch = self.current_epoch  # type: ignore[union-attr]


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
    progress: bool = True,
) -> tuple[TextScores, TextScores]:
    """Fine-tune; returns the scores on held-out text before and after, and leaves model and tokenizer in `out`.

    spec: a BERT folder, a hub name, or the packaged one. A run that was cut off goes on from its last epoch; raises
    InputError if it had other settings or other text.
    """
    kept, held = sentence_pairs(questions, clips)
    settings = {
        "text": spec, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed,
        "sentences": hashlib.sha256(repr(kept).encode()).hexdigest()[:12],
    }  # fmt: skip
    last = begin(out, settings, otherwise="choose another OUT, or remove it")
    keep_freed_memory()
    pl.seed_everything(seed, verbose=False)
    model, tokenizer = load_bert(spec)
    before = text_scores(model, tokenizer, held, batch_size, seed)
    if done := finished_epochs(last):  # what is random must not begin again as it did then
        pl.seed_everything((seed + done) % 2**32, verbose=False)
    steps = epochs * math.ceil(len(kept) / batch_size)
    callbacks: list[Any] = [EveryEpoch(last.parent), *([RichProgressBar()] if progress else [])]
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator=best_device(), devices=1, callbacks=callbacks, logger=False,
        enable_progress_bar=progress, enable_model_summary=False, gradient_clip_val=1.0,
    )  # fmt: skip
    loader = DataLoader(
        Pairs(kept, tokenizer, seed),
        batch_size,
        shuffle=True,
        collate_fn=Masking(tokenizer),
        generator=torch.Generator().manual_seed(seed + done),
    )
    trainer.fit(
        PreTraining(model.train(), learning_rate, steps),
        loader,
        ckpt_path=last if last.exists() else None,
        weights_only=True,
    )
    after = text_scores(model, tokenizer, held, batch_size, seed)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return before, after


class Masking:
    """Pads a batch and masks 15 % of its words as BERT does: of these 80 % masked, 10 % another, 10 % as they are."""

    def __init__(self, tokenizer: Any, seed: int | None = None) -> None:
        from transformers import DataCollatorForLanguageModeling

        self.collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15, seed=seed)

    def __call__(self, pairs: list[dict[str, Any]]) -> dict[str, Tensor]:
        follows = torch.tensor([pair["next_sentence_label"] for pair in pairs])
        rest = [{k: v for k, v in pair.items() if k != "next_sentence_label"} for pair in pairs]
        return {**self.collate(rest), "next_sentence_label": follows}


def load_bert(spec: str) -> tuple[Any, Any]:
    """A BERT with heads for masked words and next sentences, new where the checkpoint has none; its tokenizer."""
    from transformers import AutoTokenizer, BertForPreTraining

    from stage.features.names import PACKAGED_BERT, without_digest
    from stage.features.text.bert import BertEncoder

    packaged = without_digest(spec) == PACKAGED_BERT
    source = str(BertEncoder.packaged_folder()) if packaged else spec
    local = packaged or Path(spec).is_dir()
    try:
        with loading(local=local):
            tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
            model = BertForPreTraining.from_pretrained(source, local_files_only=local, use_safetensors=True)
    except CANT_BE_LOADED as error:
        raise InputError(f"{spec}: no BERT could be loaded ({first_line(error)})") from None
    tokenizer.model_max_length = min(tokenizer.model_max_length, model.config.max_position_embeddings)
    return model, tokenizer


@torch.inference_mode()
def text_scores(
    model: Any, tokenizer: Any, held: Sequence[SentencePair], batch_size: int, seed: int
) -> TextScores:
    """Perplexity of masked words and accuracy of next sentences, with the same masks for the same seed."""
    training = model.training
    model.eval().to(best_device())
    loader = DataLoader(Pairs(held, tokenizer, seed), batch_size, collate_fn=Masking(tokenizer, seed))
    loss, masked, right = 0.0, 0, 0
    for batch in loader:
        output = model(**{k: v.to(model.device) for k, v in batch.items() if k != "labels"})
        labels = batch["labels"].to(model.device)
        logits = output.prediction_logits.float()
        loss += float(
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        )
        masked += int((labels != -100).sum())
        told = output.seq_relationship_logits.argmax(-1)
        right += int((told == batch["next_sentence_label"].to(model.device)).sum())
    model.train(training)
    return TextScores(math.exp(loss / max(masked, 1)), right / len(held))
