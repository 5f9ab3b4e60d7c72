"""Input embedding and convolutional encoder (Sec. 4.2)."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from stage.model.ops.conv_unit import convolution_unit
from stage.model.ops.dropout import Dropout
from stage.model.ops.layer_norm import normalise, normalised_maximum
from stage.model.ops.matmul import linear

LONGEST_SEQUENCE = 500


def position_encoding(length: int, dim: int) -> Tensor:
    """Sinusoids of falling frequency (Vaswani et al., 2017), sine and cosine in turn. (length, dim)"""
    position = torch.arange(length, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * (-math.log(10_000.0) / dim))
    encoding = torch.zeros(length, dim)
    encoding[:, 0::2] = torch.sin(position * frequency)
    encoding[:, 1::2] = torch.cos(position * frequency)[:, : dim // 2]
    return encoding


class VectorEmbedding(nn.Sequential):
    """LayerNorm, dropout, linear map, ReLU, LayerNorm: (..., input_dim) -> (..., output_dim)."""

    def __init__(self, input_dim: int, output_dim: int, dropout: float) -> None:
        super().__init__(
            nn.LayerNorm(input_dim),
            Dropout(dropout),
            nn.Linear(input_dim, output_dim),
            nn.ReLU(),
            nn.LayerNorm(output_dim),
        )

    def forward(self, vectors: Tensor, then: Dropout | None = None) -> Tensor:
        """then: a dropout to follow."""
        norm, dropout, of, _, last_norm = cast(
            tuple[nn.LayerNorm, Dropout, nn.Linear, nn.ReLU, nn.LayerNorm], tuple(self)
        )
        mapped = linear(normalise(vectors, norm, dropout=dropout), of.weight, of.bias)
        return normalise(mapped, last_norm, relu=True, dropout=then)


class SharedEmbedding(nn.Sequential):
    """Brings words and regions into the same space: (..., embedding) -> (..., hidden)."""

    def __init__(self, embedding: int, hidden: int, dropout: float) -> None:
        super().__init__(Dropout(dropout), nn.Linear(embedding, hidden), nn.ReLU(), nn.LayerNorm(hidden))

    def forward(self, vectors: Tensor, embedding: VectorEmbedding) -> Tensor:  # type: ignore[override]
        """Of vectors that have an embedding of their own kind before it."""
        dropout, of, _, norm = cast(tuple[Dropout, nn.Linear, nn.ReLU, nn.LayerNorm], tuple(self))
        x = embedding(vectors, then=dropout)
        return normalise(linear(x, of.weight, of.bias), norm, relu=True)


class DepthwiseSeparableConv(nn.Module):
    """A convolution along the sequence for each channel, then a linear map across channels. "Same" padding."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.pointwise = nn.Linear(dim, dim)

    def forward(self, x: Tensor, norm: nn.LayerNorm, seen: Tensor | None, scale: float) -> Tensor:
        """Add to x what it makes of `seen` of its normalisation, times `scale`. (batch, length, dim) -> the same"""
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
    """

    positions: Tensor

    def __init__(self, dim: int, kernel: int, units: int, dropout: float, see_padding: bool) -> None:
        super().__init__()
        self.register_buffer("positions", position_encoding(LONGEST_SEQUENCE, dim), persistent=False)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(units))
        self.convs = nn.ModuleList(DepthwiseSeparableConv(dim, kernel) for _ in range(units))
        self.dropout = Dropout(dropout)
        self.final_norm = nn.LayerNorm(dim)
        self.see_padding = see_padding

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (batch, length, dim); mask: (batch, length), true where the sequence is real."""
        return normalise(self.convolved(x, mask), self.final_norm)

    def convolved(self, x: Tensor, mask: Tensor) -> Tensor:
        """The same, not normalised at the end."""
        everything_is_real = not torch.compiler.is_compiling() and bool(mask.all())
        real = None if self.see_padding or everything_is_real else mask[..., None].to(torch.uint8)
        x = x + self.positions[: x.shape[1]].to(x.dtype)
        for i, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            seen, scale = real, 1.0
            if i % 2 == 0 and (kept := self.dropout.draw(x)) is not None:
                seen, scale = kept if real is None else kept & real, self.dropout.scale
            x = conv(x, norm, seen, scale)
        return x


class ConvEncoder(nn.Module):
    """Convolution blocks over sequences of any leading shape: (..., length, dim) -> the same shape."""

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

    def maximum(self, x: Tensor, mask: Tensor) -> Tensor:
        """The maximum over each encoded sequence: (..., length, dim) -> (..., dim)"""
        flat, flat_mask, last = self._before_last(x, mask)
        pooled = normalised_maximum(last.convolved(flat, flat_mask), last.final_norm, flat_mask)
        return pooled.view(*x.shape[:-2], x.shape[-1])

    def _before_last(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, ConvBlock]:
        """What the last block is given, as (batch, length, dim) and (batch, length), and that block."""
        flat, flat_mask = x.flatten(0, -3), mask.flatten(0, -2)
        *blocks, last = cast(list[ConvBlock], list(self.blocks))
        for block in blocks:
            flat = block(flat, flat_mask)
        return flat, flat_mask, last
