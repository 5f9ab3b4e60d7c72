"""STAGE as two ONNX graphs, written by torch and onnxruntime runs.

One encodes frames of a question, the other answers given spans; in between, `Stage.answer` chooses the
span of each hypothesis. Frames don't see each other before, so a long film is read in pieces here too.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from stage.data.batch import Batch, Context
from stage.errors import InputError
from stage.model.config import StageConfig
from stage.model.execution.frame_chunks import FrameChunk, chunk_frames, fit, scatter_frames
from stage.model.execution.padding import MASKED
from stage.model.span import SpanLogits
from stage.model.stage import BatchPrediction, ModelOutput, Stage, answer_from

GROUNDING, SCORING = "grounding.onnx", "scoring.onnx"
INSTALL = "pip install onnx onnxscript onnxruntime"


class Grounding(nn.Module):
    """`Stage.forward` for F frames of one question with K hypotheses, as a graph computes it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def forward(
        self,
        words: Tensor,
        word_mask: Tensor,
        regions: Tensor,
        region_mask: Tensor,
        dialogue: Tensor,
        dialogue_mask: Tensor,
        dialogue_of_frame: Tensor,
    ) -> dict[str, Tensor]:
        """words: (K, L_h, D_text); regions: (F, N_o, D_region); dialogue: (P, L_s, D_text), of_frame: (F,).

        Returns what `ModelOutput` holds, by frame: frames (F, K, d), start and end (F, K), scores (F, K, L_h, ...).
        """
        # Not len(), which would make the number a constant of the graph.
        frames = torch.arange(dialogue_of_frame.shape[0])
        pairs = torch.arange(dialogue.shape[0])
        batch = Batch(
            words[None],
            word_mask[None],
            Context(dialogue, dialogue_mask, dialogue_of_frame[None]),
            Context(regions, region_mask, frames[None]),
            torch.ones_like(frames, dtype=torch.bool)[None],
        )
        one = torch.zeros(1, dtype=torch.long)
        first, asking = torch.zeros_like(frames), torch.zeros_like(pairs)
        piece = FrameChunk(one, words.shape[1], first, frames, asking, pairs, dialogue_of_frame)
        [look] = self.stage.look(batch, [piece])
        further, logits = self.stage.span_predictor(look.frames.transpose(0, 1)[None], batch.frame_mask)
        found = {"frames": further, "start": logits.start, "end": logits.end}
        outputs = {name: value[0].transpose(0, 1) for name, value in found.items()}
        scores = {"region_scores": look.region_scores, "subtitle_scores": look.subtitle_scores}
        return outputs | {name: value for name, value in scores.items() if value is not None}


class Scoring(nn.Module):
    """`Stage.score` as a graph computes it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, frames: Tensor, frame_mask: Tensor, start: Tensor, end: Tensor) -> dict[str, Tensor]:
        """frames: (N, K, T, d); frame_mask: (N, T); start, end: (N, K)"""
        unread = SpanLogits(start, end)
        return {"logits": self.stage.score(ModelOutput(frames, frame_mask, unread, None, None), start, end)}


def export_graphs(stage: Stage, folder: Path) -> None:
    """Write both graphs. All axes but those of the vectors may have any length, from one on.

    Raises InputError if what writes them is not installed.
    """
    if missing := [name for name in ("onnx", "onnxscript") if not _installed(name)]:
        raise InputError(f"a model can't be exported without {missing[0]}; {INSTALL} installs it")
    c = stage.config
    # Lengths that all differ, so that the exporter takes none for another.
    hypotheses, words, frames, regions, pairs, said = 5, 7, 11, 6, 3, 13
    grounding = {
        "words": torch.zeros(hypotheses, words, c.text_dim),
        "word_mask": torch.ones(hypotheses, words, dtype=torch.bool),
        "regions": torch.zeros(frames, regions, c.region_dim),
        "region_mask": torch.ones(frames, regions, dtype=torch.bool),
        "dialogue": torch.zeros(pairs, said, c.text_dim),
        "dialogue_mask": torch.ones(pairs, said, dtype=torch.bool),
        "dialogue_of_frame": torch.arange(frames) % pairs,
    }
    questions = 2
    scoring = {
        "frames": torch.zeros(questions, hypotheses, frames, c.hidden),
        "frame_mask": torch.ones(questions, frames, dtype=torch.bool),
        "start": torch.zeros(questions, hypotheses, dtype=torch.long),
        "end": torch.ones(questions, hypotheses, dtype=torch.long),
    }
    _export(Grounding(stage), grounding, {"words", "regions", "dialogue"}, folder / GROUNDING)
    _export(Scoring(stage), scoring, {"frames"}, folder / SCORING)


def _export(module: nn.Module, inputs: Mapping[str, Tensor], vectors: set[str], path: Path) -> None:
    """vectors: inputs whose last axis is that of a vector, of fixed length."""
    axes = {name: range(value.dim() - (name in vectors)) for name, value in inputs.items()}
    with torch.no_grad(), _quiet():
        torch.onnx.export(
            module.eval(),
            kwargs=dict(inputs),
            f=path,
            input_names=list(inputs),
            output_names=list(module(**inputs)),
            dynamic_shapes={name: dict.fromkeys(mine, torch.export.Dim.AUTO) for name, mine in axes.items()},
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter tells of its own insides."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


Outputs = dict[str, Tensor]
Run = Callable[[Mapping[str, Tensor]], Outputs]
"""A graph's outputs of its inputs, by name; inputs that it does not read may be given too."""


def load_graph(path: Path) -> Run:
    """A graph in a file, run on as many cores as torch uses. Raises InputError if it can't be run."""
    try:
        import onnxruntime
    except ImportError:
        raise InputError(
            f"{path}: an exported model can't be run without onnxruntime; {INSTALL} installs it"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's have no parent of their own
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: can't be run ({reason}); export the model again") from None
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Mapping[str, Tensor]) -> Outputs:
        read = {i.name: inputs[i.name].numpy() for i in session.get_inputs()}
        return dict(zip(names, map(torch.from_numpy, session.run(names, read)), strict=True))

    return run


class ExportedStage(nn.Module):
    """STAGE run from its graphs: the same answers, nothing to train."""

    def __init__(self, config: StageConfig, grounding: Run, scoring: Run) -> None:
        super().__init__()
        self.config = config
        self.grounding, self.scoring = grounding, scoring

    @classmethod
    def load(cls, config: StageConfig, folder: Path) -> ExportedStage:
        """Raises InputError if the graphs in the folder can't be run."""
        return cls(config, load_graph(folder / GROUNDING), load_graph(folder / SCORING))

    def forward(self, batch: Batch) -> ModelOutput:
        """As `Stage.forward`."""
        encodings = [self._look_at(batch, piece) for piece in chunk_frames(batch, by_question=True)]

        def spread(name: str, fill: float) -> Tensor:
            return scatter_frames([look[name] for look in encodings], batch.frame_mask, fill)

        frames, start, end = (
            spread(name, fill).transpose(1, 2)
            for name, fill in (("frames", 0.0), ("start", MASKED), ("end", MASKED))
        )
        regions = spread("region_scores", MASKED) if self.config.reads_video else None
        subtitles = spread("subtitle_scores", MASKED) if self.config.reads_subtitles else None
        return ModelOutput(frames, batch.frame_mask, SpanLogits(start, end), regions, subtitles)

    def score(self, grounded: ModelOutput, start: Tensor, end: Tensor) -> Tensor:
        """As `Stage.score`."""
        inputs = {"frames": grounded.frames, "frame_mask": grounded.frame_mask, "start": start, "end": end}
        return self.scoring(inputs)["logits"]

    def answer(self, batch: Batch) -> BatchPrediction:
        """As `Stage.answer`."""
        return answer_from(self(batch), self.score, self.config)

    def _look_at(self, batch: Batch, piece: FrameChunk) -> Outputs:
        n, longest = int(piece.questions[0]), batch.word_mask.shape[-1]
        length = longest if self.config.release_padding else piece.words
        regions, region_mask = _never_empty(batch.pictures, piece.picture, self.config.region_dim)
        dialogue, dialogue_mask = _never_empty(batch.dialogue, piece.dialogue, self.config.text_dim)
        outputs = self.grounding(
            {
                "words": batch.words[n, :, :length],
                "word_mask": batch.word_mask[n, :, :length],
                "regions": regions,
                "region_mask": region_mask,
                "dialogue": dialogue,
                "dialogue_mask": dialogue_mask,
                "dialogue_of_frame": piece.pair_of_frame,
            }
        )
        for name, context in (("region_scores", batch.pictures), ("subtitle_scores", batch.dialogue)):
            if name in outputs:
                scores = outputs[name]
                outputs[name] = fit(scores.flatten(1, 2), scores.shape[1], longest, context.mask.shape[-1])
        return outputs


def _never_empty(context: Context, rows: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Elements and mask of some rows. Graphs have no axis of length 0; one padded element says the same."""
    mask = context.mask[rows]
    if mask.shape[-1]:
        return context.elements[rows], mask
    return torch.zeros(len(rows), 1, dim), mask.new_zeros(len(rows), 1)
