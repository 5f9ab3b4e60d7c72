"""Tiny open-vocabulary detectors and image-text encoders with random weights, as `save_pretrained` writes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers

WORDS = ["a", "photo", "of", "the", "cat", "dog", "man", "with", "party", "hat", "left"]
SIDE = 32
"""Pixels of the square that images are resized to, in models that resize to a square."""
LETTERS = [chr(i) for i in range(33, 127)]
VISION = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": SIDE,
    "patch_size": 8,
}  # fmt: skip
TEXT = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def merged(word_parts: Iterable[list[str]]) -> tuple[list[str], list[tuple[str, str]]]:
    """The pieces and merges by which byte-pair encoding joins the parts of each word, from left to right."""
    pieces, merges = [], []
    for parts in word_parts:
        joined = parts[0]
        for part in parts[1:]:
            merges.append((joined, part))
            joined += part
            pieces.append(joined)
    return pieces, list(dict.fromkeys(merges))


def clip_tokenizer(longest: int) -> Any:
    """A tokenizer like CLIP's, with a piece for each of the words and each lower-case letter."""
    pieces, merges = merged([*word[:-1], f"{word[-1]}</w>"] for word in WORDS)
    pieces = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), *pieces, "<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(vocab=_numbered(pieces), merges=merges, model_max_length=longest)


def siglip_tokenizer(kind: str) -> Any:
    """A tokenizer like those of the first SigLIP ("first"), whose padding is the end of a text, or of SigLIP 2.

    "gemma": of its models that stretch images; "siglip2": of those that keep their shape.
    """
    if kind == "first":
        pieces = ["<unk>", "</s>", *(f"▁{word}" for word in WORDS), "▁", *LETTERS]
        scored = [(piece, -float(i)) for i, piece in enumerate(pieces)]
        tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram(scored, unk_id=0))
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
        return transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>", pad_token="</s>"
        )
    pieces, merges = merged(["▁", *word] for word in WORDS)
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    vocabulary = _numbered([*special, "▁", *LETTERS, *pieces])
    make = {"gemma": transformers.GemmaTokenizer, "siglip2": transformers.Siglip2Tokenizer}[kind]
    return make(vocab=vocabulary, merges=merges)


def _numbered(pieces: Iterable[str]) -> dict[str, int]:
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def write_owl(folder: Path, *, padded: bool = True) -> Path:
    """An OWLv2, or else an OWL-ViT, which stretches images instead of padding them."""
    tokenizer = clip_tokenizer(16)
    text = TEXT | {"vocab_size": len(tokenizer), "max_position_embeddings": 16}
    text |= {"bos_token_id": len(tokenizer) - 2, "eos_token_id": len(tokenizer) - 1}
    name = "Owlv2" if padded else "OwlViT"
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(text_config=text, vision_config=VISION, projection_dim=16)
    getattr(transformers, f"{name}ForObjectDetection")(config).save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    getattr(transformers, f"{name}ImageProcessorPil")(size=size).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_grounding_dino(folder: Path, *, mm: bool = False) -> Path:
    """A Grounding DINO, or MM-Grounding DINO, with a tokenizer that numbers special tokens as BERT's does."""
    numbers = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
    numbers |= {word: 200 + i for i, word in enumerate(WORDS)}
    names = {number: word for word, number in numbers.items()}
    vocabulary = {names.get(i, f"[unused{i}]"): i for i in range(1030)}
    tokenizer = transformers.BertTokenizerFast(vocab=vocabulary, model_max_length=512)
    name = "MMGroundingDino" if mm else "GroundingDino"
    text = TEXT | {"vocab_size": len(tokenizer), "max_position_embeddings": 512}
    config = getattr(transformers, f"{name}Config")(
        text_config=transformers.BertConfig(**text),
        backbone_config=transformers.SwinConfig(
            image_size=SIDE, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=2,
            out_indices=[2, 3, 4],
        ),
        num_queries=12, encoder_layers=1, decoder_layers=2, d_model=32, encoder_ffn_dim=16, decoder_ffn_dim=16,
        encoder_attention_heads=2, decoder_attention_heads=2,
    )  # fmt: skip
    torch.manual_seed(0)
    getattr(transformers, f"{name}ForObjectDetection")(config).save_pretrained(folder)
    size = {"shortest_edge": 64, "longest_edge": 96}
    transformers.GroundingDinoImageProcessorPil(size=size).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_clip(folder: Path) -> Path:
    """A CLIP."""
    tokenizer = clip_tokenizer(20)
    text = TEXT | {"vocab_size": len(tokenizer), "max_position_embeddings": 20}
    text |= {"bos_token_id": len(tokenizer) - 2, "eos_token_id": len(tokenizer) - 1}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config=text, vision_config=VISION, projection_dim=12)
    transformers.CLIPModel(config).save_pretrained(folder)
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE)
    processor.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_siglip(folder: Path, *, first: bool = True, own_shape: bool = False) -> Path:
    """The first SigLIP, or else a SigLIP 2: one that stretches images to squares, or keeps their shape (NaFlex)."""
    tokenizer = siglip_tokenizer("first" if first else "siglip2" if own_shape else "gemma")
    text = TEXT | {"vocab_size": len(tokenizer), "max_position_embeddings": 12, "projection_size": 16}
    torch.manual_seed(0)
    if own_shape:
        vision = {key: value for key, value in VISION.items() if key != "image_size"} | {"num_patches": 16}
        config = transformers.Siglip2Config(text_config=text, vision_config=vision)
        model = transformers.Siglip2Model(config)
        processor = transformers.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)
    else:
        config = transformers.SiglipConfig(text_config=text, vision_config=VISION)
        model = transformers.SiglipModel(config)
        processor = transformers.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    with torch.no_grad():
        model.logit_scale.fill_(2.0)
        model.logit_bias.fill_(-7.0)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
