"""Released weights: renaming them, and inferring the model's configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from pydantic import ValidationError
from torch import Tensor

from stage.errors import InputError
from stage.model.config import StageConfig, Streams
from stage.model.stage import Stage
from stage.wording import quoted

# Patterns in the release's weight names -> their replacements in this project.
RENAMED_WEIGHTS = (
    (r"bert_word_encoding_fc\.", "text_embedding."),
    (r"vid_fc\.", "region_embedding."),
    (r"input_embedding\.", "shared_embedding."),
    (r"cls_encoder\.", "fusion_encoder."),
    (r"c2q_down_projection\.0\.", "attention.projection.norm."),
    (r"c2q_down_projection\.2\.", "attention.projection.linear."),
    (r"concat_fc\.0\.", "fusion.projection.norm."),
    (r"concat_fc\.2\.", "fusion.projection.linear."),
    (r"concat_fc\.4\.", "fusion.norm."),
    (r"cls_projection_layers\.0\.conv\.", "span_predictor.projection."),
    (r"temporal_scoring_st_layers\.0\.conv\.", "span_predictor.start."),
    (r"temporal_scoring_ed_layers\.0\.conv\.", "span_predictor.end."),
    (r"classifier\.conv\.", "classifier."),
    (r"stacked_encoderBlocks\.(\d+)\.layer_norm\.", r"blocks.\1.norms."),
    (r"stacked_encoderBlocks\.(\d+)\.conv\.", r"blocks.\1.convs."),
    (r"stacked_encoderBlocks\.(\d+)\.final_layer_norm\.", r"blocks.\1.final_norm."),
    (r"\.depthwise_conv\.", ".depthwise."),
    (r"\.pointwise_conv\.", ".pointwise."),
)
POSITION_ENCODING = re.compile(r"\.position_encoding\.pe$")


def our_name(release_name: str) -> str:
    """This project's name of a weight of the release."""
    name = release_name
    for pattern, ours in RENAMED_WEIGHTS:
        name = re.sub(pattern, ours, name)
    return name


def from_release(weights: Mapping[str, Tensor]) -> Stage:
    """STAGE with the weights of a released state_dict, and padding handled as in the release.

    Raises InputError naming missing and unknown weights.
    """
    renamed = {our_name(name): value for name, value in weights.items() if not POSITION_ENCODING.search(name)}
    config = implied_config(renamed)
    with torch.device(
        "meta"
    ):  # takes no memory, however large weights of a few values say that the others are
        shapes = {name: value.shape for name, value in Stage(config).state_dict().items()}
    unknown = sorted(set(renamed) - set(shapes))
    missing = sorted(set(shapes) - set(renamed))
    if unknown or missing:
        raise InputError(
            f"these are not the weights of a supported STAGE: unknown {unknown or 'none'}, "
            f"missing {missing or 'none'}; check the options the checkpoint was trained with"
        )
    for name, shape in shapes.items():
        if _without_ones(renamed[name].shape) != _without_ones(shape):
            raise InputError(
                f"these are not the weights of a supported STAGE: {name} is of shape {tuple(renamed[name].shape)}, "
                f"but the others imply {tuple(shape)}; check the options the checkpoint was trained with"
            )
    model = Stage(config)
    # The release's pointwise convolutions are linear maps with a kernel axis of length 1.
    model.load_state_dict({name: renamed[name].reshape(shape) for name, shape in shapes.items()})
    return model.eval()


def implied_config(weights: Mapping[str, Tensor]) -> StageConfig:
    """Infer sizes and streams from the shapes of weights (with this project's names). Raises InputError."""
    try:
        embedding, text_dim = weights["text_embedding.2.weight"].shape
        hidden = len(weights["shared_embedding.1.weight"])
        input_kernel = weights["input_encoder.blocks.0.convs.0.depthwise.weight"].shape[-1]
        fusion_kernel = weights["fusion_encoder.blocks.0.convs.0.depthwise.weight"].shape[-1]
        pooled = weights["classifier.2.weight"].shape[-1]
        regions = weights.get("region_embedding.2.weight")
        region_dim = 300 if regions is None else regions.shape[1]
    except KeyError as error:
        raise InputError(f"these are not the weights of STAGE: {error.args[0]} is missing") from None
    except (ValueError, IndexError, TypeError):
        raise InputError("these are not the weights of STAGE: one of them is of another shape") from None
    streams: Streams = (
        "subtitles"
        if regions is None
        else "both"
        if "fusion.projection.linear.weight" in weights
        else "video"
    )
    try:
        return StageConfig(
            text_dim=text_dim,
            region_dim=region_dim,
            streams=streams,
            local_features=pooled == 2 * hidden,
            hidden=hidden,
            embedding=embedding,
            input_kernel=input_kernel,
            fusion_kernel=fusion_kernel,
            units=_count(weights, r"input_encoder\.blocks\.0\.convs\.(\d+)\."),
            blocks=_count(weights, r"input_encoder\.blocks\.(\d+)\."),
            fusion_units=_count(weights, r"fusion_encoder\.blocks\.0\.convs\.(\d+)\."),
            fusion_blocks=_count(weights, r"fusion_encoder\.blocks\.(\d+)\."),
            dropout=0.1,
            release_padding=True,
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        raise InputError(
            f"these are not the weights of STAGE: their shapes imply {'.'.join(map(str, wrong['loc']))} "
            f"{wrong['input']} ({wrong['msg']})"
        ) from None


def _count(weights: Mapping[str, Tensor], pattern: str) -> int:
    """The number of layers whose index is the pattern's group. Raises InputError if their numbers have gaps."""
    found = {match[1]: name for name in weights if (match := re.match(pattern, name))}
    if gaps := sorted(found.keys() - {str(i) for i in range(len(found))}):
        raise InputError(
            "these are not the weights of STAGE: its blocks and their layers are numbered from 0 on, without a gap "
            f"before {quoted(found[gaps[0]])}"
        )
    return len(found)


def _without_ones(shape: Sequence[int]) -> list[int]:
    """A shape without axes of length 1, which don't change the order of the values."""
    return [length for length in shape if length != 1]
