"""Sizes and switches of STAGE, as run configurations and model folders store them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _odd(width: int) -> int:
    if width % 2 == 0:
        raise ValueError("the width of a convolution must be odd, so that it has a middle")
    return width


Odd = Annotated[int, Field(gt=0), AfterValidator(_odd)]
MOST_LAYERS = 100
"""Blocks of an encoder, and units of a block: a file of settings may name millions, each of which takes memory."""
Layers = Annotated[int, Field(gt=0, le=MOST_LAYERS)]
Streams = Literal["both", "video", "subtitles", "none"]


class SystemConfig(BaseModel):
    """What every system is given: the sizes of its input. `kind` names the system in configurations and folders."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    localises: ClassVar[bool] = False
    """Whether it predicts spans. If not, it returns the whole clip as the span, which is not scored."""

    kind: str
    text_dim: int = Field(768, gt=0)
    """Size of a word vector: 768 for BERT-base, 300 for GloVe."""
    region_dim: int = Field(300, gt=0)
    """Size of a region vector, after PCA."""

    @property
    def reads_video(self) -> bool:
        return True


class StageConfig(SystemConfig):
    """What determines the shape and the arithmetic of a STAGE model. Defaults are the paper's (Sec. 4.2)."""

    localises: ClassVar[bool] = True

    kind: Literal["stage"] = "stage"
    streams: Streams = "both"
    """Which contexts the model reads. "none" answers from question and answers alone."""
    regions_as_words: bool = False
    """Regions are visual concepts, described by the words of their labels, and embedded like words. A word then
    attends to the region with its name from the start of training."""
    local_features: bool = True
    """Answer from the proposed span and the whole clip; otherwise from the whole clip alone."""
    hidden: int = Field(128, gt=0)
    """d in the paper."""
    embedding: int = Field(300, gt=0)
    """Size between the input vectors and d."""
    input_kernel: Odd = 7
    fusion_kernel: Odd = 5
    units: Layers = 2
    """Convolution units of each block of the input encoder (N_conv)."""
    blocks: Layers = 1
    """Blocks of the input encoder, each with its own position encoding."""
    fusion_units: Layers = 2
    """Likewise for the encoder after fusion."""
    fusion_blocks: Layers = 1
    dropout: float = Field(0.1, ge=0, lt=1)
    attention_scale: float = Field(10.0, gt=0)
    """Factor of cosine similarities before the softmax."""
    span_margin: int = Field(3, ge=0)
    """Frames by which a proposed span is extended on both sides for the local feature."""
    span_choice: Literal["product", "overlap"] = "product"
    """Which span is predicted: the one with the largest product of probabilities, as in the paper, or the one with
    the largest expected overlap with the true span."""
    release_padding: bool = False
    """Let convolutions see what padded positions hold, as the authors' release does. A prediction then depends
    slightly on the other questions of its batch; needed only to reproduce the release's numbers."""

    @property
    def reads_video(self) -> bool:
        return self.streams in ("both", "video")

    @property
    def reads_subtitles(self) -> bool:
        return self.streams in ("both", "subtitles")
