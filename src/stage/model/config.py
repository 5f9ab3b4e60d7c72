"""The sizes and switches of STAGE, as they are written into configurations and checkpoints."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _odd(width: int) -> int:
    if width % 2 == 0:
        raise ValueError("the width of a convolution must be odd, so that it has a middle")
    return width


Odd = Annotated[int, Field(gt=0), AfterValidator(_odd)]
Streams = Literal["both", "video", "subtitles", "none"]


class SystemConfig(BaseModel):
    """What every system that answers is told of its input. Its own `kind` names it in configurations and folders."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    localises: ClassVar[bool] = False
    """Whether it finds the moment; if not, it gives the whole clip as the span, which is no prediction."""

    kind: str
    text_dim: int = Field(768, gt=0)
    """Size of a word vector: 768 for BERT-base, 300 for GloVe."""
    region_dim: int = Field(300, gt=0)
    """Size of a region vector, after PCA."""

    @property
    def reads_video(self) -> bool:
        return True


class StageConfig(SystemConfig):
    """What fixes the shape and the arithmetic of a STAGE model. Defaults are the paper's (Sec. 4.2)."""

    localises: ClassVar[bool] = True

    kind: Literal["stage"] = "stage"
    streams: Streams = "both"
    """Which contexts the model reads. "none" answers from question and answers alone."""
    regions_as_words: bool = False
    """Regions are visual concepts, described by the words of their labels, and are embedded as words are. Then a word
    finds the region of the same name from the start."""
    local_features: bool = True
    """Answer from the proposed span and the whole clip, not from the whole clip alone."""
    hidden: int = Field(128, gt=0)
    """d in the paper."""
    embedding: int = Field(300, gt=0)
    """Size between the input vectors and d."""
    input_kernel: Odd = 7
    fusion_kernel: Odd = 5
    units: int = Field(2, gt=0)
    """Convolution units of each block of the input encoder (N_conv)."""
    blocks: int = Field(1, gt=0)
    """Blocks of the input encoder, each with its own position encoding."""
    fusion_units: int = Field(2, gt=0)
    """The same for the encoder after fusion."""
    fusion_blocks: int = Field(1, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    attention_scale: float = Field(10.0, gt=0)
    """What cosine similarities are multiplied with before the softmax."""
    span_margin: int = Field(3, ge=0)
    """Frames by which a proposed span is widened on both sides for the local feature."""
    span_choice: Literal["product", "overlap"] = "product"
    """Which span is predicted: the one of the largest product of probabilities, as in the paper, or the one whose
    overlap with the true span is expected to be the largest."""
    release_padding: bool = False
    """Let convolutions see what padded positions hold, as the authors' release does. A prediction then depends
    a little on what shares its batch; needed only to reproduce the release's numbers."""

    @property
    def reads_video(self) -> bool:
        return self.streams in ("both", "video")

    @property
    def reads_subtitles(self) -> bool:
        return self.streams in ("both", "subtitles")
