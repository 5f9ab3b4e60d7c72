"""Weights with the names that the authors' release gives them."""

from __future__ import annotations

from stage.release.weights import RENAMED_WEIGHTS


def release_name(name: str) -> str:
    """What the release calls a weight of ours."""
    for theirs, ours in (
        ("stacked_encoderBlocks.{}.layer_norm.", "blocks.{}.norms."),
        ("stacked_encoderBlocks.{}.conv.", "blocks.{}.convs."),
        ("stacked_encoderBlocks.{}.final_layer_norm.", "blocks.{}.final_norm."),
    ):
        for block in range(3):
            name = name.replace(ours.format(block), theirs.format(block))
    for pattern, ours in RENAMED_WEIGHTS[:10]:
        if name.startswith(ours):
            name = pattern.replace("\\", "") + name.removeprefix(ours)
    return name.replace(".depthwise.", ".depthwise_conv.").replace(".pointwise.", ".pointwise_conv.")
