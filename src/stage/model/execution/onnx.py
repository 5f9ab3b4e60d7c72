"""STAGE as two ONNX graphs, exported by torch and run by onnxruntime.

One encodes frames of a question, the other answers given spans; in between, `Stage.answer` chooses the
span of each hypothesis. Frames don't see each other before that, so a long film is read in chunks here too.
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
from stage.model.execution.frame_chunks import (
    FrameChunk,
    chunk_frames,
    frame_inputs,
    pad_scores,
    scatter_frames,
)
from stage.model.outputs import BatchPrediction, ModelOutput
from stage.model.sequences import MASKED
from stage.model.span import SpanLogits
from stage.model.stage import Stage, answer_over_best_spans

GROUNDING, SCORING = "grounding.onnx", "scoring.onnx"
INSTALL = "pip install onnx onnxscript onnxruntime"


class Grounding(nn.Module):
    """`Stage.forward` for F frames of one question with K hypotheses, as one graph."""

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
        """words: (K, L_h, D_text); regions: (F, N_o, D_region); dialogue: (P, L_s, D_text), its of_frame: (F,).

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
        question, question_of_pair = torch.zeros_like(frames), torch.zeros_like(pairs)
        chunk = FrameChunk(one, words.shape[1], question, frames, question_of_pair, pairs, dialogue_of_frame)
        [inputs] = frame_inputs([chunk], *self.stage.encode(batch))
        fused = self.stage.fuse(inputs)
        encoded, logits = self.stage.span_predictor(fused.frames.transpose(0, 1)[None], batch.frame_mask)
        by_hypothesis = {"frames": encoded, "start": logits.start, "end": logits.end}
        outputs = {name: value[0].transpose(0, 1) for name, value in by_hypothesis.items()}
        k, length = words.shape[:2]
        scores = {"region_scores": fused.region_scores, "subtitle_scores": fused.subtitle_scores}
        return outputs | {
            name: value.unflatten(1, (k, length)) for name, value in scores.items() if value is not None
        }


class Scoring(nn.Module):
    """`Stage.score` as one graph."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, frames: Tensor, frame_mask: Tensor, start: Tensor, end: Tensor) -> dict[str, Tensor]:
        """frames: (N, K, T, d); frame_mask: (N, T); start, end: (N, K)"""
        unread = SpanLogits(start, end)
        return {"logits": self.stage.score(ModelOutput(frames, frame_mask, unread, None, None), start, end)}


def export_graphs(stage: Stage, folder: Path) -> None:
    """Write both graphs. All axes but those of the vectors may have any length from 1.

    Raises InputError if the exporter is not installed.
    """
    if missing := [name for name in ("onnx", "onnxscript") if not _installed(name)]:
        raise InputError(f"a model can't be exported without {missing[0]}; {INSTALL} installs it")
    c = stage.config
    # Distinct lengths, so that the exporter can't confuse axes.
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
    """Silences the exporter's logs and warnings about its own internals."""
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
"""From a graph's inputs to its outputs, by name; inputs that the graph does not read are ignored."""
GROUNDING_INPUTS = frozenset(
    ("words", "word_mask", "regions", "region_mask", "dialogue", "dialogue_mask", "dialogue_of_frame")
)
GROUNDING_OUTPUTS = frozenset(("frames", "start", "end"))
SCORING_INPUTS, SCORING_OUTPUTS = frozenset(("frames", "frame_mask", "start", "end")), frozenset(("logits",))
SILENT = 4
"""Of onnxruntime's levels of logging: what it logs is also in its exceptions, which become one line."""


def load_graph(path: Path, inputs: frozenset[str], outputs: frozenset[str]) -> Run:
    """Load a graph from a file; it runs on as many cores as torch uses.

    A graph computes numbers and can do nothing else: no operations but those of onnxruntime are known, and files of
    weights outside of the model's folder are refused there.

    inputs: names of all that it may read; outputs: of what it must give. Raises InputError if it can't be loaded,
    and the returned function if it can't be run.
    """
    try:
        import onnxruntime
    except ImportError:
        raise InputError(
            f"{path}: an exported model can't be run without onnxruntime; {INSTALL} installs it"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = SILENT
    with _runnable(path):
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    read = [each.name for each in session.get_inputs()]
    names = [each.name for each in session.get_outputs()]
    if not inputs.issuperset(read) or not outputs.issubset(names):
        raise InputError(
            f"{path}: is the graph of another model (it reads {', '.join(read)}, and gives {', '.join(names)}); "
            "export the model again"
        )

    def run(given: Mapping[str, Tensor]) -> Outputs:
        with _runnable(path):
            found = session.run(names, {name: given[name].numpy() for name in read})
            return dict(zip(names, map(torch.from_numpy, found), strict=True))

    return run


@contextmanager
def _runnable(path: Path) -> Iterator[None]:
    """Raises InputError in place of what onnxruntime raises, whose exceptions have no common base."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: can't be run ({reason}); export the model again") from None


def _check_shapes(outputs: Outputs, expected: Mapping[str, tuple[int, ...]], graph: str) -> None:
    """Raises InputError if outputs are missing, or have other shapes or no finite numbers: of a foreign graph."""
    for name, shape in expected.items():
        value = outputs.get(name)
        if (
            value is None
            or value.shape != shape
            or not value.is_floating_point()
            or bool(value.isnan().any())
        ):
            found = "missing" if value is None else f"{value.dtype} of {tuple(value.shape)}, or NaN"
            raise InputError(
                f"{graph}: its {name} are {found}, and must be numbers of {shape}; export the model again"
            )


class ExportedStage(nn.Module):
    """STAGE run from its graphs: the same answers, no weights to train."""

    def __init__(self, config: StageConfig, grounding: Run, scoring: Run) -> None:
        super().__init__()
        self.config = config
        self.grounding, self.scoring = grounding, scoring

    @classmethod
    def load(cls, config: StageConfig, folder: Path) -> ExportedStage:
        """Raises InputError if the graphs in the folder can't be run."""
        return cls(
            config,
            load_graph(folder / GROUNDING, GROUNDING_INPUTS, GROUNDING_OUTPUTS),
            load_graph(folder / SCORING, SCORING_INPUTS, SCORING_OUTPUTS),
        )

    def forward(self, batch: Batch) -> ModelOutput:
        """As `Stage.forward`."""
        outputs = [self._ground(batch, chunk) for chunk in chunk_frames(batch, by_question=True)]

        def scattered(name: str, fill: float) -> Tensor:
            return scatter_frames([of_chunk[name] for of_chunk in outputs], batch.frame_mask, fill)

        frames, start, end = (
            scattered(name, fill).transpose(1, 2)
            for name, fill in (("frames", 0.0), ("start", MASKED), ("end", MASKED))
        )
        regions = scattered("region_scores", MASKED) if self.config.reads_video else None
        subtitles = scattered("subtitle_scores", MASKED) if self.config.reads_subtitles else None
        return ModelOutput(frames, batch.frame_mask, SpanLogits(start, end), regions, subtitles)

    def score(self, output: ModelOutput, start: Tensor, end: Tensor) -> Tensor:
        """As `Stage.score`."""
        inputs = {"frames": output.frames, "frame_mask": output.frame_mask, "start": start, "end": end}
        outputs = self.scoring(inputs)
        _check_shapes(outputs, {"logits": tuple(start.shape)}, SCORING)
        return outputs["logits"]

    def answer(self, batch: Batch) -> BatchPrediction:
        """As `Stage.answer`."""
        return answer_over_best_spans(self(batch), self.score, self.config)

    def _ground(self, batch: Batch, chunk: FrameChunk) -> Outputs:
        """The grounding graph's outputs for frames of one question, its scores as long as the batch is."""
        n, longest = int(chunk.questions[0]), batch.word_mask.shape[-1]
        length = longest if self.config.release_padding else chunk.words
        regions, region_mask = _never_empty(batch.regions, chunk.regions, self.config.region_dim)
        subtitles, subtitle_mask = _never_empty(batch.subtitles, chunk.subtitles, self.config.text_dim)
        outputs = self.grounding(
            {
                "words": batch.words[n, :, :length],
                "word_mask": batch.word_mask[n, :, :length],
                "regions": regions,
                "region_mask": region_mask,
                "dialogue": subtitles,
                "dialogue_mask": subtitle_mask,
                "dialogue_of_frame": chunk.pair_of_frame,
            }
        )
        frames, hypotheses = len(chunk.pair_of_frame), batch.words.shape[1]
        expected: dict[str, tuple[int, ...]] = dict.fromkeys(("start", "end"), (frames, hypotheses))
        expected["frames"] = frames, hypotheses, self.config.hidden
        by_word = frames, hypotheses, length
        if self.config.reads_video:
            expected["region_scores"] = *by_word, regions.shape[1]
        if self.config.reads_subtitles:
            expected["subtitle_scores"] = *by_word, subtitles.shape[1]
        _check_shapes(outputs, expected, GROUNDING)
        for name, context in (("region_scores", batch.regions), ("subtitle_scores", batch.subtitles)):
            if name in outputs:
                scores = outputs[name]
                outputs[name] = pad_scores(
                    scores.flatten(1, 2), scores.shape[1], longest, context.mask.shape[-1]
                )
        return outputs


def _never_empty(context: Context, rows: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Elements and mask of some rows. Graphs have no axes of length 0; one element of padding means the same."""
    mask = context.mask[rows]
    if mask.shape[-1]:
        return context.elements[rows], mask
    return torch.zeros(len(rows), 1, dim), mask.new_zeros(len(rows), 1)
