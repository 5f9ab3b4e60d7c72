"""A tiny BERT that can be fine-tuned."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import BertConfig, BertForPreTraining, BertTokenizerFast

WORDS = "what is the mug doing red blue car in kitchen why who mia leo says hello there . ?"


def write_bert(folder: Path) -> Path:
    """A BERT with both heads of pre-training and random weights, as `save_pretrained` writes it."""
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split()])}
    BertTokenizerFast(vocab=vocabulary, model_max_length=40).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=40,
    )  # fmt: skip
    BertForPreTraining(config).save_pretrained(folder)
    return folder
