"""Recurrent encoders, attention and pooling that ignore padding.

Masks are true for real elements, and have the shape of the sequences without the last axis.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stage.model.ops.matmul import compute_dtype
from stage.model.sequences import MASKED, PaddedSequences


class Recurrent(nn.Module):
    """A bidirectional LSTM over sequences of any leading shape: (..., L, input_dim) -> (..., L, dim).

    Padding must come last, and is encoded as zeros. Each direction has half of `dim`. Sequences are reversed within
    their real part instead of packed, since the gradient of packed ones takes a CPU several times as long.
    """

    def __init__(self, input_dim: int, dim: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(input_dim, dim // 2, batch_first=True)
        self.backwards = nn.LSTM(input_dim, dim // 2, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        at, lengths = torch.arange(x.shape[-2], device=x.device), mask.sum(-1, keepdim=True)
        reversed_at = torch.where(at < lengths, lengths - 1 - at, at)[..., None]
        there = run(self.forwards, x)
        back = run(self.backwards, x.gather(-2, reversed_at.expand_as(x)))
        both = torch.cat([there, back.gather(-2, reversed_at.expand_as(back))], dim=-1)
        encoded: Tensor = both * mask[..., None]
        return encoded


def run(lstm: nn.LSTM, x: Tensor) -> Tensor:
    """Run an LSTM from first to last element: (..., L, input_dim) -> (..., L, hidden). Padding must come last."""
    if x.shape[-2] == 0:
        return x.new_zeros(*x.shape[:-1], lstm.hidden_size)
    rows, dtype = x.flatten(0, -3), compute_dtype(x)
    if x.device.type == "cpu":
        encoded: Tensor = lstm(rows)[0]
    else:
        with torch.autocast(x.device.type, enabled=False):  # it would run cuDNN's LSTM in float16
            encoded = lstm(rows.float())[0].to(dtype)
    return encoded.view(*x.shape[:-1], lstm.hidden_size)


def last(x: Tensor, mask: Tensor) -> Tensor:
    """The last real element of each sequence, which must have one: (..., L, D) -> (..., D)."""
    at = (mask.sum(-1) - 1)[..., None, None].expand(*x.shape[:-2], 1, x.shape[-1])
    return x.gather(-2, at).squeeze(-2)


def gather_real(x: Tensor, mask: Tensor) -> PaddedSequences:
    """Move real elements to the front, and cut common padding: (B, L, D), (B, L) -> (B, L', D), (B, L')."""
    longest = int(mask.sum(-1).max())
    order = (~mask).byte().argsort(dim=-1, stable=True)[:, :longest]
    return PaddedSequences(x.gather(1, order[..., None].expand(-1, -1, x.shape[-1])), mask.gather(1, order))


def attend(x: Tensor, context: PaddedSequences) -> Tensor:
    """Dot-product attention of each element to a context: (..., L, D), (..., C, D) -> (..., L, D).

    A context of padding alone yields zeros.
    """
    real = context.mask[..., None, :]
    scores = (x @ context.values.transpose(-1, -2)).float().masked_fill(~real, MASKED)
    return (scores.softmax(-1) * real).to(context.values.dtype) @ context.values


def masked_max(x: Tensor, mask: Tensor) -> Tensor:
    """Maximum over real elements: (..., L, D) -> (..., D); zero where there are none."""
    if x.shape[-2] == 0:
        return x.new_zeros(*x.shape[:-2], x.shape[-1])
    return x.masked_fill(~mask[..., None], MASKED).amax(-2) * mask.any(-1)[..., None]


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over real elements: (..., L, D) -> (..., D); zero where there are none."""
    return x.masked_fill(~mask[..., None], 0).sum(-2) / mask.sum(-1).clamp(min=1)[..., None]


class AdditiveAttention(nn.Module):
    """Additive attention: the mean of elements, weighted by softmax of w^T tanh(W_e e + W_q q).

    elements: (..., E, element_dim), query: (..., query_dim), leading axes broadcast -> (..., element_dim)
    """

    def __init__(self, element_dim: int, query_dim: int, dim: int) -> None:
        super().__init__()
        self.element = nn.Linear(element_dim, dim)
        self.query = nn.Linear(query_dim, dim, bias=False)
        self.score = nn.Linear(dim, 1, bias=False)

    def forward(self, elements: Tensor, mask: Tensor, query: Tensor) -> Tensor:
        hidden = torch.tanh(self.element(elements) + self.query(query)[..., None, :])
        scores = self.score(hidden).squeeze(-1).float().masked_fill(~mask, MASKED)
        weights = (scores.softmax(-1) * mask).to(elements.dtype)
        attended: Tensor = (weights[..., None, :] @ elements).squeeze(-2)
        return attended
