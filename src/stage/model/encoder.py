"""Input embedding layer and convolutional encoder (Sec. 4.2)."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from stage.model.ops.conv_unit import convolution_unit
from stage.model.ops.dropout import Dropout
from stage.model.ops.layer_norm import normalise, normalised_maximum
from stage.model.ops.matmul import linear

LONGEST_TABLE = 500
"""Positions whose encoding is kept; those of longer sequences are computed each time. Exported graphs have the table
alone, and read no longer sequence."""


def position_encoding(length: int, dim: int) -> Tensor:
    """Sinusoids of decreasing frequency (Vaswani et al., 2017), sine and cosine interleaved. (length, dim)"""
    if (
        torch.get_default_device().type == "meta"
    ):  # has sizes alone; arithmetic there imports torch's compiler
        return torch.empty(length, dim)
    position = torch.arange(length, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * (-math.log(10_000.0) / dim))
    encoding = torch.zeros(length, dim)
    encoding[:, 0::2] = torch.sin(position * frequency)
    encoding[:, 1::2] = torch.cos(position * frequency)[:, : dim // 2]
    return encoding


class VectorEmbedding(nn.Sequential):
    """LayerNorm, dropout, linear map, ReLU, LayerNorm: (..., input_dim) -> (..., output_dim).

    output_dropout: the rate of one more dropout at the end, for the layer that follows.
    """

    def __init__(
        self, input_dim: int, output_dim: int, dropout: float, *, output_dropout: float = 0.0
    ) -> None:
        super().__init__(
            nn.LayerNorm(input_dim),
            Dropout(dropout),
            nn.Linear(input_dim, output_dim),
            nn.ReLU(),
            nn.LayerNorm(output_dim),
            Dropout(output_dropout),
        )

    def forward(self, vectors: Tensor) -> Tensor:
        norm, dropout, projection, _, output_norm, output_dropout = cast(
            tuple[nn.LayerNorm, Dropout, nn.Linear, nn.ReLU, nn.LayerNorm, Dropout], tuple(self)
        )
        projected = linear(normalise(vectors, norm, dropout=dropout), projection.weight, projection.bias)
        return normalise(projected, output_norm, relu=True, dropout=output_dropout)


class SharedEmbedding(nn.Sequential):
    """Linear map, ReLU, LayerNorm: brings words and regions into one space, (..., embedding) -> (..., hidden).

    The dropout before it is the last step of the `VectorEmbedding`, where it costs no pass of its own.
    """

    def __init__(self, embedding: int, hidden: int) -> None:
        super().__init__(nn.Identity(), nn.Linear(embedding, hidden), nn.ReLU(), nn.LayerNorm(hidden))

    def forward(self, embedded: Tensor) -> Tensor:
        _, projection, _, norm = cast(tuple[nn.Identity, nn.Linear, nn.ReLU, nn.LayerNorm], tuple(self))
        return normalise(linear(embedded, projection.weight, projection.bias), norm, relu=True)


class DepthwiseSeparableConv(nn.Module):
    """A convolution along the sequence for each channel, then a linear map across channels. "Same" padding."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.pointwise = nn.Linear(dim, dim)

    def forward(self, x: Tensor, norm: nn.LayerNorm, seen: Tensor | None, scale: float) -> Tensor:
        """x + ReLU(Conv(scale * seen * norm(x))): (batch, length, dim) -> the same shape.

        seen: what survives dropout and is not padding, see `convolution_unit`; None if everything is seen.
        """
        assert self.depthwise.bias is not None
        return convolution_unit(
            x,
            (norm.weight * scale, norm.bias * scale),
            (self.depthwise.weight, self.depthwise.bias),
            (self.pointwise.weight, self.pointwise.bias),
            seen,
        )


class ConvBlock(nn.Module):
    """Position encoding, convolution units with residual connections, a final LayerNorm.

    The paper normalises after the sum, LayerNorm(ReLU(Conv(x)) + x); the release, and we, before the convolution.
    Dropout precedes the convolution of every other unit, as in the release.
    """

    positions: Tensor

    def __init__(self, dim: int, kernel: int, units: int, dropout: float, see_padding: bool) -> None:
        super().__init__()
        self.register_buffer("positions", position_encoding(LONGEST_TABLE, dim), persistent=False)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(units))
        self.convs = nn.ModuleList(DepthwiseSeparableConv(dim, kernel) for _ in range(units))
        self.dropout = Dropout(dropout)
        self.final_norm = nn.LayerNorm(dim)
        self.see_padding = see_padding

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (batch, length, dim); mask: (batch, length), true where the sequence is real."""
        return normalise(self.convolve(x, mask), self.final_norm)

    def convolve(self, x: Tensor, mask: Tensor) -> Tensor:
        """Everything but the final LayerNorm."""
        nothing_padded = not torch.compiler.is_compiling() and bool(mask.all())
        real = None if self.see_padding or nothing_padded else mask[..., None].to(torch.uint8)
        x = x + self._positions(x.shape[1]).to(x.dtype)
        for i, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            seen, scale = real, 1.0
            if i % 2 == 0 and (kept := self.dropout.draw(x)) is not None:
                seen, scale = kept if real is None else kept & real, self.dropout.scale
            x = conv(x, norm, seen, scale)
        return x

    def _positions(self, length: int) -> Tensor:
        """(length, dim)"""
        kept = self.positions
        if torch.compiler.is_compiling() or length <= len(kept):
            return kept[:length]
        return position_encoding(length, kept.shape[1]).to(kept.device)


class ConvEncoder(nn.Module):
    """Convolution blocks over sequences of any leading shape: (..., length, dim) -> the same shape.

    see_padding: convolutions see what padded positions hold, as in the release.
    """

    def __init__(
        self, dim: int, kernel: int, units: int, blocks: int, dropout: float, *, see_padding: bool
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ConvBlock(dim, kernel, units, dropout, see_padding) for _ in range(blocks)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (..., length, dim); mask: (..., length)"""
        if x.shape[-2] == 0:  # a film without subtitles, or without any region
            return x
        flat, flat_mask, last = self._before_last(x, mask)
        encoded: Tensor = last(flat, flat_mask)
        return encoded.view(x.shape)

    def encode_and_pool(self, x: Tensor, mask: Tensor) -> Tensor:
        """Encode each sequence, and keep the maximum over it: (..., length, dim) -> (..., dim)."""
        flat, flat_mask, last = self._before_last(x, mask)
        pooled = normalised_maximum(last.convolve(flat, flat_mask), last.final_norm, flat_mask)
        return pooled.view(*x.shape[:-2], x.shape[-1])

    def _before_last(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, ConvBlock]:
        """The last block with its input, as (batch, length, dim) and (batch, length)."""
        flat, flat_mask = x.flatten(0, -3), mask.flatten(0, -2)
        *blocks, last = cast(list[ConvBlock], list(self.blocks))
        for block in blocks:
            flat = block(flat, flat_mask)
        return flat, flat_mask, last
