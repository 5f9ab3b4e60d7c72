"""An exported model answers as the model does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from golden import COMPACT, Golden
from samples.batches import STREAMS, alone, make_batch, make_model
from samples.model_folder import as_folder
from stage.commands.export import export
from stage.data.batch import Batch, Context
from stage.errors import InputError
from stage.inference.model_folder import TrainedModel, export_model, load_model
from stage.model.baselines.two_stream import TwoStreamConfig
from stage.model.build import build_model
from stage.model.config import Streams
from stage.model.execution.onnx import (
    GROUNDING,
    SCORING,
    ExportedStage,
    Grounding,
    Run,
    Scoring,
    load_graph,
)
from stage.model.outputs import BatchPrediction
from stage.model.stage import Stage
from stage.release.weights import from_release

pytest.importorskip("onnxruntime")


pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedModel, TrainedModel, Path]:
    """A model before and after its export, and the folder; small, since the time grows with the operations."""
    folder = tmp_path_factory.mktemp("models")
    model = as_folder(make_model(units=1, fusion_units=1, span_choice="overlap"), folder / "model")
    export(str(model), folder / "exported")
    return load_model(model), load_model(folder / "exported"), folder / "exported"


def check_same(ours: BatchPrediction, theirs: BatchPrediction) -> None:
    """Everything that predictions are made of, to 1e-4."""

    def close(a: Tensor | None, b: Tensor | None) -> None:
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)

    close(ours.logits, theirs.logits)
    close(ours.start_probabilities, theirs.start_probabilities)
    close(ours.end_probabilities, theirs.end_probabilities)
    close(ours.output.region_scores, theirs.output.region_scores)
    close(ours.output.subtitle_scores, theirs.output.subtitle_scores)
    if theirs.output.region_scores is not None or theirs.output.subtitle_scores is not None:
        # Without a context all frames are alike, and so all spans.
        assert torch.equal(ours.spans.start, theirs.spans.start)
        assert torch.equal(ours.spans.end, theirs.spans.end)


def emptied(context: Context) -> Context:
    return replace(context, elements=context.elements[:, :0], mask=context.mask[:, :0])


def one_of_everything() -> Batch:
    """A single frame with one region, one spoken word, and one word per hypothesis."""
    batch = alone(make_batch(1), 0)
    return Batch(
        batch.words[:, :, :1],
        batch.word_mask[:, :, :1],
        *(
            Context(c.elements[:1, :1], c.mask[:1, :1], c.of_frame[:, :1])
            for c in (batch.subtitles, batch.regions)
        ),
        batch.frame_mask[:, :1],
    )


QUESTIONS: dict[str, Callable[[], Batch]] = {
    "ragged": make_batch,
    "more of everything": lambda: make_batch(questions=2, hypotheses=7, frames=90),
    "one of everything": one_of_everything,
    "without subtitles": lambda: replace(make_batch(), subtitles=emptied(make_batch().subtitles)),
    "without regions": lambda: replace(make_batch(), regions=emptied(make_batch().regions)),
}


@pytest.mark.slow
@pytest.mark.parametrize("questions", QUESTIONS)
def test_onnxruntime_answers_as_torch_does(
    exported: tuple[TrainedModel, TrainedModel, Path], questions: str
) -> None:
    before, after, _ = exported
    batch = QUESTIONS[questions]()
    with torch.inference_mode():
        check_same(after.model.answer(batch), before.model.answer(batch))


def in_torch(model: Stage) -> ExportedStage:
    """The modules that the graphs are exported from."""

    def run(module: nn.Module) -> Callable[[Mapping[str, Tensor]], dict[str, Tensor]]:
        return lambda inputs: module(**inputs)

    return ExportedStage(model.config, run(Grounding(model)), run(Scoring(model)))


@pytest.mark.parametrize("questions", QUESTIONS)
@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("local_features", [True, False])
def test_the_graphs_compute_the_model(streams: Streams, local_features: bool, questions: str) -> None:
    model, batch = make_model(streams=streams, local_features=local_features), QUESTIONS[questions]()
    with torch.inference_mode():
        check_same(in_torch(model).answer(batch), model.answer(batch))


def test_weights_of_the_release_see_the_padding_of_their_batch() -> None:
    golden = Golden.read(COMPACT)
    model = from_release(golden.weights)
    with torch.inference_mode():
        check_same(in_torch(model).answer(golden.batch), model.answer(golden.batch))


@pytest.mark.slow
def test_an_export_keeps_everything_but_the_weights(
    exported: tuple[TrainedModel, TrainedModel, Path],
) -> None:
    before, after, _ = exported
    assert after.model.config == before.model.config
    assert (after.features, after.limits, after.concepts) == (before.features, before.limits, before.concepts)
    assert before.projections.regions is not None
    assert after.projections.regions is not None
    assert (after.projections.regions.components == before.projections.regions.components).all()


@pytest.mark.slow
def test_only_stage_is_exported_and_only_once(
    exported: tuple[TrainedModel, TrainedModel, Path], tmp_path: Path
) -> None:
    before, after, _ = exported
    with pytest.raises(InputError, match="longest: is of kind longest"):
        export("longest", tmp_path / "out")
    other = replace(before, model=build_model(TwoStreamConfig(text_dim=12, region_dim=10)))
    with pytest.raises(InputError, match="of kind two_stream"):
        export_model(other, tmp_path / "out")
    with pytest.raises(InputError, match="exported already"):
        export_model(after, tmp_path / "out")
    longer = replace(before, limits=before.limits.model_copy(update={"subtitle_words": 501}))
    with pytest.raises(InputError, match="reads up to 501 subtitle words, and an exported model up to 500"):
        export_model(longer, tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_a_model_is_not_replaced_by_its_export(tmp_path: Path) -> None:
    model = as_folder(make_model(), tmp_path / "model")
    with pytest.raises(InputError, match="choose another folder"):
        export(str(model), model)
    assert load_model(model).model


@pytest.mark.slow
@pytest.mark.parametrize("graph", [GROUNDING, SCORING])
def test_a_damaged_graph_is_refused(
    exported: tuple[TrainedModel, TrainedModel, Path], tmp_path: Path, graph: str
) -> None:
    for file in exported[2].iterdir():
        content = file.read_bytes()
        (tmp_path / file.name).write_bytes(content[: len(content) // 2] if file.name == graph else content)
    with pytest.raises(InputError, match=f"{graph}: can't be run"):
        load_model(tmp_path)


def written_graph(path: Path, nodes: list[Any], constants: list[Any], domain: str = "") -> Path:
    """A graph from the vector x to the vector y."""
    from onnx import TensorProto, helper

    vector = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    versions = [helper.make_opsetid("", 18), *([helper.make_opsetid(domain, 1)] if domain else [])]
    graph = helper.make_graph(nodes, "graph", vector[:1], vector[1:], constants)
    path.write_bytes(helper.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString())
    return path


def loaded(path: Path) -> Run:
    return load_graph(path, frozenset("x"), frozenset("y"))


def test_a_graph_reads_no_weights_outside_of_its_folder(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    outside = tmp_path / "outside.bin"
    outside.write_bytes(bytes(16))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.bin").symlink_to(outside)
    for location in ("../outside.bin", str(outside), "link.bin"):
        weights = TensorProto(
            name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL
        )
        for key, value in (("location", location), ("offset", "0"), ("length", "16")):
            weights.external_data.add(key=key, value=value)
        path = written_graph(folder / "graph.onnx", [helper.make_node("Add", ["x", "w"], ["y"])], [weights])
        with pytest.raises(InputError, match=r"graph\.onnx: can't be run \(.*[Ee]xternal data"):
            loaded(path)


def test_operations_that_onnxruntime_does_not_have_are_refused(tmp_path: Path) -> None:
    from onnx import helper

    node = helper.make_node("Evil", ["x"], ["y"], domain="evil")
    with pytest.raises(InputError, match=r"graph\.onnx: can't be run \(.*not a registered function"):
        loaded(written_graph(tmp_path / "graph.onnx", [node], [], "evil"))


def test_the_graph_of_another_model_is_refused(tmp_path: Path) -> None:
    from onnx import helper

    path = written_graph(tmp_path / "graph.onnx", [helper.make_node("Neg", ["x"], ["y"])], [])
    assert loaded(path)({"x": torch.ones(2), "z": torch.ones(2)})["y"].tolist() == [-1, -1]
    for inputs, outputs in (("z", "y"), ("x", "z")):
        with pytest.raises(InputError, match=r"another model \(it reads x, and gives y\); export the model"):
            load_graph(path, frozenset(inputs), frozenset(outputs))


def test_a_graph_that_can_not_be_run_with_a_question_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    enormous = helper.make_tensor("shape", TensorProto.INT64, [1], [10**15])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    run = loaded(written_graph(tmp_path / "graph.onnx", nodes, [enormous]))
    with pytest.raises(InputError, match=r"graph\.onnx: can't be run \(.*memory"):
        run({"x": torch.ones(2)})
    with pytest.raises(InputError, match=r"graph\.onnx: can't be run"):
        run({"x": torch.ones(2, dtype=torch.long)})


@pytest.mark.parametrize("output", ["frames", "start", "end", "region_scores", "subtitle_scores", "logits"])
@pytest.mark.parametrize("damage", ["missing", "shape", "NaN"])
def test_outputs_that_are_none_of_stage_s_are_refused(output: str, damage: str) -> None:
    exported = in_torch(make_model())

    def damaged(run: Run) -> Run:
        def run_and_damage(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
            outputs = run(inputs)
            if output in outputs:
                value = outputs.pop(output)
                if damage != "missing":
                    outputs[output] = value[..., :-1] if damage == "shape" else value * torch.nan
            return outputs

        return run_and_damage

    exported.grounding, exported.scoring = damaged(exported.grounding), damaged(exported.scoring)
    with torch.inference_mode(), pytest.raises(InputError, match=rf"\.onnx: its {output} are "):
        exported.answer(make_batch())


@pytest.mark.slow
def test_missing_packages_are_named(
    exported: tuple[TrainedModel, TrainedModel, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _, folder = exported
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="without onnxruntime; pip install"):
        load_model(folder)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="without onnx; pip install"):
        export_model(before, tmp_path / "out")
    assert not any(tmp_path.iterdir())
