"""STAGE once more, plainly: one question, one hypothesis, one frame, one region at a time.

Written from the description alone, with loops where the model has array code. It is slow and never changes: faster
code is compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stage.data.batch import Batch, Context
from stage.model.stage import Stage

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class OracleAnswer:
    """The answer of the oracle to one question: K hypotheses, T real frames."""

    logits: Tensor
    """(K,)"""
    start_logits: Tensor
    """(K, T)"""
    end_logits: Tensor
    """(K, T)"""
    spans: list[tuple[int, int]]
    region_scores: list[list[Tensor]]
    """[hypothesis][frame]: (words, regions)"""


def layer_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def embed(w: Weights, kind: str, x: Tensor) -> Tensor:
    """(length, input) -> (length, d)"""
    x = layer_norm(w, f"{kind}.4", torch.relu(linear(w, f"{kind}.2", layer_norm(w, f"{kind}.0", x))))
    return layer_norm(w, "shared_embedding.3", torch.relu(linear(w, "shared_embedding.1", x)))


def convolve(w: Weights, name: str, x: Tensor) -> Tensor:
    """Depthwise, then pointwise convolution with zeros beyond both ends. (length, d)"""
    kernel = w[f"{name}.depthwise.weight"][:, 0]  # (d, width)
    half = kernel.shape[1] // 2
    rows = []
    for i in range(len(x)):
        total = w[f"{name}.depthwise.bias"].clone()
        for j in range(kernel.shape[1]):
            if 0 <= i + j - half < len(x):
                total = total + kernel[:, j] * x[i + j - half]
        rows.append(total)
    return linear(w, f"{name}.pointwise", torch.stack(rows))


def encode(w: Weights, name: str, x: Tensor, units: int, blocks: int) -> Tensor:
    """(length, d) -> (length, d)"""
    dim = x.shape[1]
    for block in range(blocks):
        x = x.clone()
        for position in range(len(x)):
            for channel in range(dim):
                angle = torch.tensor(position / 10_000 ** ((channel - channel % 2) / dim))
                x[position, channel] += torch.cos(angle) if channel % 2 else torch.sin(angle)
        for unit in range(units):
            inner = layer_norm(w, f"{name}.blocks.{block}.norms.{unit}", x)
            x = x + torch.relu(convolve(w, f"{name}.blocks.{block}.convs.{unit}", inner))
        x = layer_norm(w, f"{name}.blocks.{block}.final_norm", x)
    return x


def attend(w: Weights, words: Tensor, context: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """words (L, d), context (C, d) -> joint (L, d), scores (L, C). With an empty context nothing is attended."""
    rows, scores = [], torch.zeros(len(words), len(context))
    for i, word in enumerate(words):
        attended = torch.zeros_like(word)
        for j, element in enumerate(context):
            scores[i, j] = F.cosine_similarity(word, element, dim=0)
        if len(context):
            attended = torch.softmax(scale * scores[i], dim=0) @ context
        joint = layer_norm(w, "attention.projection.norm", torch.cat([word, attended, word * attended]))
        rows.append(torch.relu(linear(w, "attention.projection.linear", joint)))
    return torch.stack(rows), scores


def fuse(w: Weights, subtitles: Tensor, video: Tensor) -> Tensor:
    joint = layer_norm(w, "fusion.projection.norm", torch.cat([subtitles, video, subtitles * video], dim=-1))
    return layer_norm(w, "fusion.norm", torch.relu(linear(w, "fusion.projection.linear", joint)))


def scan(start: Tensor, end: Tensor) -> tuple[int, int]:
    """The best pair by a scan over ends with the best start so far; ties go to the first."""
    best, at, best_start = -1.0, (0, 0), 0
    for i in range(len(end)):
        if start[i] > start[best_start]:
            best_start = i
        score = float(start[best_start] * end[i])
        if score > best:
            best, at = score, (best_start, i)
    return at


def visible(context: Context, n: int, t: int) -> Tensor:
    """The context of frame t of question n, (length, D)."""
    at = context.of_frame[n, t]
    return context.elements[at][context.mask[at]]


def answer(model: Stage, batch: Batch, n: int) -> OracleAnswer:
    """Question n of the batch, from its real words, frames and regions alone."""
    w, c = dict(model.named_parameters()), model.config
    frames = int(batch.frame_mask[n].sum())
    logits, starts, ends, spans, all_scores = [], [], [], [], []
    contexts = []
    for t in range(frames):
        regions = visible(batch.regions, n, t)
        lines = visible(batch.subtitles, n, t)
        video = text = torch.zeros(0, c.hidden)
        if c.reads_video and len(regions):
            unit = regions / regions.norm(dim=1, keepdim=True)
            embedding = "text_embedding" if c.regions_as_words else "region_embedding"
            video = encode(w, "input_encoder", embed(w, embedding, unit), c.units, c.blocks)
        if c.reads_subtitles and len(lines):
            text = encode(w, "input_encoder", embed(w, "text_embedding", lines), c.units, c.blocks)
        contexts.append((video, text))
    for k in range(batch.words.shape[1]):
        words = batch.words[n, k][batch.word_mask[n, k]]
        h = encode(w, "input_encoder", embed(w, "text_embedding", words), c.units, c.blocks)
        pooled, scores_of_frames = [], []
        for video, text in contexts:
            fused = h
            if c.reads_video:
                fused, scores = attend(w, h, video, c.attention_scale)
                scores_of_frames.append(scores)
            if c.reads_subtitles:
                said, _ = attend(w, h, text, c.attention_scale)
                fused = fuse(w, said, fused) if c.reads_video else said
            pooled.append(encode(w, "fusion_encoder", fused, c.units, c.blocks).max(dim=0).values)
        a = torch.stack(pooled)
        a = a + torch.relu(_scorer(w, "span_predictor.projection", a))
        start, end = (_scorer(w, f"span_predictor.{side}", a)[:, 0] for side in ("start", "end"))
        span = scan(start.detach().softmax(0), end.detach().softmax(0))
        seen = a.max(dim=0).values
        if c.local_features:
            local = a[max(0, span[0] - c.span_margin) : span[1] + c.span_margin + 1].max(dim=0).values
            seen = torch.cat([local, seen])
        logits.append(_scorer(w, "classifier", seen)[0])
        starts.append(start)
        ends.append(end)
        spans.append(span)
        all_scores.append(scores_of_frames)
    return OracleAnswer(torch.stack(logits), torch.stack(starts), torch.stack(ends), spans, all_scores)


def _scorer(w: Weights, name: str, x: Tensor) -> Tensor:
    return linear(w, f"{name}.2", layer_norm(w, f"{name}.0", x))
