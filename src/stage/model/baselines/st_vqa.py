"""ST-VQA (Jang et al., CVPR 2017): LSTMs with attention in space and time.

The paper answers questions about short silent GIFs. Adapted here: each candidate is read together with the
question as one text, as the paper does for its multiple-choice tasks; a frame is the concatenation of its attended
regions and its attended subtitle words; candidates are compared by cross-entropy, as in all other systems here, in
place of the paper's hinge loss. The text is encoded first, since it queries both attentions, so the text encoder
does not start from the state of the video encoder. Of the two LSTM layers, the upper one is read.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from stage.data.batch import Batch, Context
from stage.model.baselines.baseline import Baseline, Scored
from stage.model.baselines.inputs import Embedding
from stage.model.baselines.layers import AdditiveAttention, last, run
from stage.model.config import SystemConfig
from stage.model.ops.dropout import Dropout

LAYERS = 2


class StVqaConfig(SystemConfig):
    """The paper's encoders have a hidden size of 512; the default is STAGE's."""

    kind: Literal["st_vqa"] = "st_vqa"
    hidden: int = Field(128, gt=0)
    embedding: int = Field(300, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)


class StVqa(Baseline):
    """A text encoder, a video encoder, and attention by the text within frames and over frames."""

    config: StVqaConfig

    def __init__(self, config: StVqaConfig) -> None:
        super().__init__()
        self.config = config
        d, size = config.hidden, config.embedding
        self.embedding = Embedding(config.text_dim, config.region_dim, size, config.dropout)
        self.text_encoder = nn.LSTM(size, d, LAYERS, batch_first=True)
        self.region_attention = AdditiveAttention(size, d, d)
        self.subtitle_attention = AdditiveAttention(size, d, d)
        self.video_encoder = nn.LSTM(2 * size, d, LAYERS, batch_first=True)
        self.temporal_attention = AdditiveAttention(d, d, d)
        self.joint = nn.Sequential(nn.Linear(2 * d, d), nn.Tanh(), Dropout(config.dropout))
        self.score = nn.Linear(d, 1)

    def forward(self, batch: Batch) -> Scored:
        words = run(self.text_encoder, self.embedding.words(batch.words))
        text = last(words, batch.word_mask)  # (N, K, d)
        regions = self.embedding.regions(batch.regions.elements)
        subtitles = self.embedding.words(batch.subtitles.elements)
        frames = torch.cat(
            [
                attend(self.region_attention, regions, batch.regions, text),
                attend(self.subtitle_attention, subtitles, batch.subtitles, text),
            ],
            dim=-1,
        )
        mask = batch.frame_mask[:, None].expand(frames.shape[:-1])
        video = self.temporal_attention(run(self.video_encoder, frames), mask, text)
        logits = self.score(self.joint(torch.cat([text, video], dim=-1)))
        return Scored(logits.squeeze(-1).float())


def attend(attention: AdditiveAttention, elements: Tensor, context: Context, text: Tensor) -> Tensor:
    """What each text (N, K, d) attends to in every frame; elements: (contexts, L, D) -> (N, K, T, D)."""
    of_frame = context.of_frame
    seen: Tensor = attention(elements[of_frame][:, None], context.mask[of_frame][:, None], text[:, :, None])
    return seen
