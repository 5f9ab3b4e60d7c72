"""Tiny detectors of transformers with labels, with random weights, saved as model folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

LABELS = {0: "cat", 1: "party hat", 2: "cup"}
ONE_LAYER: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "decoder_ffn_dim": 32, "encoder_ffn_dim": 32,
    "decoder_attention_heads": 2, "encoder_attention_heads": 2, "num_queries": 12, "id2label": LABELS,
}  # fmt: skip
QUERIES: dict[str, Any] = {"encoder_in_channels": [16, 24, 32], "encoder_hidden_dim": 32, "anchor_image_size": None,
           "decoder_in_channels": [32, 32, 32],
           "num_denoising": 0, "decoder_n_points": 2, "feat_strides": [8, 16, 32]}  # fmt: skip


def resnet() -> Any:
    return transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip


def d_fine() -> Any:
    backbone = transformers.HGNetV2Config(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], stem_channels=[3, 8, 8],
        stage_in_channels=[8, 8, 16, 24], stage_mid_channels=[8, 8, 8, 8], stage_out_channels=[8, 16, 24, 32],
        stage_num_blocks=[1, 1, 1, 1], stage_downsample=[False, True, True, True],
        stage_light_block=[False, False, True, True], stage_kernel_size=[3, 3, 3, 3],
        stage_numb_of_layers=[1, 1, 1, 1],
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = transformers.DFineConfig(
        backbone_config=backbone, **ONE_LAYER, **QUERIES | {"decoder_n_points": [2, 2, 2]}
    )
    return transformers.DFineForObjectDetection(config)


def rt_detr() -> Any:
    config = transformers.RTDetrV2Config(
        backbone_config=resnet(), **ONE_LAYER, **QUERIES | {"decoder_n_points": 2}
    )
    return transformers.RTDetrV2ForObjectDetection(config)


def detr() -> Any:
    backbone = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", out_features=["stage2"]
    )
    config = transformers.DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone, **ONE_LAYER
    )  # fmt: skip
    return transformers.DetrForObjectDetection(config)


FAMILIES: dict[str, tuple[Callable[[], Any], str]] = {
    "d-fine": (d_fine, "RTDetrImageProcessor"),
    "rt-detr": (rt_detr, "RTDetrImageProcessor"),
    "detr": (detr, "DetrImageProcessor"),
}


def saved(family: str, folder: Path) -> Path:
    """A tiny model of a family with random weights, in a folder."""
    build, processor = FAMILIES[family]
    torch.manual_seed(0)
    build().save_pretrained(folder)
    settings = {"image_processor_type": processor, "size": {"height": 64, "width": 96}}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder
