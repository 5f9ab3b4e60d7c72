"""Tiny vision-language models with random weights, as `save_pretrained` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

LETTERS = "ABCDEFGH"
QWEN_SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip
SMOL_SPECIAL = (
    "<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
)  # fmt: skip
GEMMA_SPECIAL = (
    "<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>",
    "<image_soft_token>",
)  # fmt: skip
QWEN_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SMOL_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
GEMMA_TEMPLATE = (
    "<bos>{% for message in messages %}<start_of_turn>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<start_of_image>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
TEXT = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 8192,
}  # fmt: skip


VISION = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip


def byte_tokenizer(special: tuple[str, ...], end: str, template: str) -> Any:
    """A tokenizer with one token a byte, and one for each of the first capitals with a space before it."""
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(f"Ġ{letter}" for letter in LETTERS)]
    tokenizer = Tokenizer(
        models.BPE({piece: i for i, piece in enumerate(pieces)}, [("Ġ", letter) for letter in LETTERS])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=end,
        pad_token=end,
        chat_template=template,
        model_max_length=8192,
    )


def ends(tokenizer: Any) -> dict[str, int | None]:
    """What a configuration says of a tokenizer."""
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    return {"vocab_size": len(tokenizer), **{name: getattr(tokenizer, name) for name in names}}


def write_qwen(folder: Path, *, third: bool = True) -> Path:
    """A Qwen3-VL, or else a Qwen2.5-VL."""
    tokenizer = byte_tokenizer(QWEN_SPECIAL, "<|im_end|>", QWEN_TEMPLATE)
    ids = dict(zip(QWEN_SPECIAL, tokenizer.convert_tokens_to_ids(list(QWEN_SPECIAL)), strict=True))
    name, patch = ("Qwen3VL", 16) if third else ("Qwen2_5_VL", 14)
    rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 10000.0}
    vision: dict[str, Any] = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": 32,
    }
    vision |= {"patch_size": patch}
    vision |= (
        {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
        if third
        else {"fullatt_block_indexes": [0], "window_size": 56}
    )
    config = getattr(transformers, f"{name}Config")(
        text_config=TEXT | ends(tokenizer) | {"rope_parameters": rope},
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    torch.manual_seed(0)
    getattr(transformers, f"{name}ForConditionalGeneration")(config).save_pretrained(folder)
    transformers.Qwen2VLImageProcessorPil(
        patch_size=patch, size={"shortest_edge": 3136, "longest_edge": 12845056}
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_smolvlm(folder: Path) -> Path:
    """A SmolVLM."""
    tokenizer = byte_tokenizer(SMOL_SPECIAL, "<end_of_utterance>", SMOL_TEMPLATE)
    image = tokenizer.convert_tokens_to_ids("<image>")
    config = transformers.SmolVLMConfig(
        text_config=TEXT | ends(tokenizer) | {"model_type": "llama"},
        vision_config=VISION,
        image_token_id=image,
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    transformers.SmolVLMImageProcessorPil(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, do_image_splitting=True
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "processor_config.json").write_text(
        '{"processor_class": "SmolVLMProcessor", "image_seq_len": 4}'
    )
    return folder


def write_gemma(folder: Path) -> Path:
    """A Gemma 3, whose tokenizer writes a space as "▁"."""
    signs = [chr(i) for i in range(33, 127)]
    pieces = [*GEMMA_SPECIAL, "▁", "\n", *signs, *(f"▁{letter}" for letter in LETTERS)]
    names = dict(zip(("boi_token", "eoi_token", "image_token"), GEMMA_SPECIAL[-3:], strict=True))
    tokenizer = transformers.GemmaTokenizerFast(
        vocab={piece: i for i, piece in enumerate(pieces)},
        merges=[("▁", letter) for letter in LETTERS],
        chat_template=GEMMA_TEMPLATE,
        model_max_length=8192,
        extra_special_tokens=names,
    )
    first, last, picture = tokenizer.convert_tokens_to_ids(list(GEMMA_SPECIAL[-3:]))
    config = transformers.Gemma3Config(
        text_config=TEXT | ends(tokenizer) | {"sliding_window": 512},
        vision_config=VISION,
        mm_tokens_per_image=4,
        boi_token_index=first,
        eoi_token_index=last,
        image_token_index=picture,
    )
    torch.manual_seed(0)
    transformers.Gemma3ForConditionalGeneration(config).save_pretrained(folder)
    transformers.Gemma3ImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = '{"processor_class": "Gemma3Processor", "image_seq_length": 4}'
    (folder / "processor_config.json").write_text(settings)
    return folder
