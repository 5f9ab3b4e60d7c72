"""The tables: their rows and figures, means over seeds, verdicts, and runs that can be stopped and gone on with."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from stage.annotation.questions import write_questions
from stage.data.examples import Limits, collate
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.experiments.jobs.runs import Result, Run, read_results, read_run, unfinished_runs, write_result
from stage.experiments.jobs.scheduler import perform_all
from stage.experiments.jobs.true_span import StageGivenSpans, scores_given_true_spans
from stage.experiments.jobs.worker import alone_in, perform
from stage.experiments.systems import SYSTEMS, settings_for, systems_named
from stage.experiments.tables.audit import FAILS, GIVEN_SPAN, HOLDS, UNKNOWN, Claim, audit
from stage.experiments.tables.formatting import print_grid, write_table
from stage.experiments.tables.paper import MAP, MIOU, QA, TABLE_3, TABLE_4, TABLE_5, TABLE_6, TABLES, Table
from stage.experiments.tables.plot import drawn
from stage.experiments.tables.publish import publish
from stage.experiments.tables.summary import Cell, fill, notes
from stage.features.projection import Projections
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import FeatureStore
from stage.inference.model_folder import FeatureRecipe, TrainedModel
from stage.io import write_json
from stage.model.build import build_model
from stage.model.config import StageConfig
from stage.model.stage import Stage
from stage.training.config import load_config
from stage.types import Box, Question, Regions

ROOT = Path(__file__).parents[1]
SPEC = ROOT.parent / "shared" / "spec" / "stage.md"
TEXT_DIM, REGION_DIM = 12, 10


def result(system: str, seed: int, text: str = "minilm@1", **scores: Any) -> Result:
    types = {"what": {"qa_accuracy": scores.get("qa_accuracy"), "share": 0.6}}
    types |= {name: {"qa_accuracy": None, "share": 0.1} for name in ("who", "where", "why", "how")}
    return Result(
        system, seed, "data/test", text, {**scores, "per_question_type": types}, {"qa_accuracy": 0.9}, 2.0
    )


RESULTS = [
    *(result("stage", n, qa_accuracy=0.7 + 0.01 * n, temporal_miou=0.6, grounding_map=0.5) for n in range(3)),
    *(result("backbone", n, qa_accuracy=0.6, temporal_miou=0.2) for n in range(2)),
    result("two_stream", 0, qa_accuracy=0.715),
]


@pytest.mark.parametrize("system", [system for system in SYSTEMS.values() if system.trained])
@pytest.mark.parametrize("name", ["sitcom", "human"])
def test_every_row_is_a_configuration_of_every_data_set(name: str, system: Any) -> None:
    settings = settings_for(system, ["training.epochs=2", "model.dropout=0.2", "model.span_margin=1"])
    config = load_config(ROOT / "configs" / f"{name}.yaml", settings)
    assert config.training.epochs == 2
    assert config.model.system.kind == system.kind
    assert config.model.system.model_dump()["dropout"] == 0.2


def test_what_the_user_sets_does_not_reach_kinds_that_lack_it() -> None:
    assert settings_for(SYSTEMS["pamn"], ["model.span_margin=1", "model.hidden=8"]) == [
        "model.hidden=8",
        "model.kind=pamn",
    ]
    assert "model.spam=1" in settings_for(SYSTEMS["pamn"], ["model.spam=1"])  # told of when it is read
    with pytest.raises(InputError, match="choose the kind"):
        settings_for(SYSTEMS["pamn"], ["model.kind=stage"])


@pytest.mark.skipif(not SPEC.exists(), reason="the paper's figures (../shared) are not there")
@pytest.mark.parametrize(("table", "rows"), [(TABLE_3, 6), (TABLE_4, 7), (TABLE_5, 5)])
def test_figures_beside_ours_are_the_papers(table: Table, rows: int) -> None:
    part = SPEC.read_text().split(f"\nTable {table.name},")[1].split("\n\n")[0]
    cells = [re.findall(r"(?<=\| )[\d.*-]+(?= )", line) for line in part.splitlines()[3:]]
    told = [[None if c == "-" else float(c.strip("*")) for c in row] for row in cells]
    assert len(told) == rows
    ours = [[line.paper.get(name) for name in table.paper_headings] for line in table.lines if line.paper]
    assert ours == (told if table is not TABLE_5 else [list(column) for column in zip(*told, strict=True)])


def test_a_system_that_several_tables_show_is_trained_once() -> None:
    shown = [name for table in TABLES.values() for name in table.systems]
    assert shown.count("stage") == 6
    assert set(shown) == set(SYSTEMS)


def test_a_cell_is_a_mean_over_seeds_with_their_spread() -> None:
    rows = {row.line.title: row for row in fill(TABLE_3, RESULTS)}
    qa, grounding, _, asa = rows["STAGE"].cells
    assert qa is not None
    assert (qa.mean, qa.spread, qa.count) == (pytest.approx(71), pytest.approx(1), 3)
    assert grounding == Cell((50.0, 50.0, 50.0))
    assert asa is None
    assert rows["two-stream"].cells[0] == Cell((71.5,))
    assert rows["two-stream"].seeds == 1
    assert rows["human"].cells == (None,) * 4


def test_spans_of_a_system_that_learns_none_are_not_shown() -> None:
    rows = {row.line.title: row for row in fill(TABLE_4, RESULTS)}
    assert rows["+ aligned fusion (backbone)"].cells[2] is None
    assert rows["+ local features (STAGE)"].cells[2] is not None
    assert rows["with the true span"].cells == (Cell((90.0,) * 3), None, None, None)
    assert rows["with the true span"].minutes == 2


def test_rows_on_other_word_vectors_stay_empty_and_say_why(tmp_path: Path) -> None:
    grid = write_table(TABLE_6, RESULTS, tmp_path)
    shown = {row[0]: row[1] for row in grid.rows}
    assert shown["backbone, BERT"] == "60.00 ± 0.00"
    assert shown["backbone, GloVe"] == "-"
    assert any("backbone, GloVe: no run on features made with GloVe" in note for note in grid.notes)
    glove = [replace(r, text="glove@6B-50d") for r in RESULTS]
    assert {row[0]: row[1] for row in write_table(TABLE_6, glove, tmp_path).rows}["backbone, BERT"] == "-"


def test_rows_on_other_word_vectors_are_scored_on_a_copy(tmp_path: Path) -> None:
    warning = "Rows on different questions can't be compared."
    backbone = next(r for r in RESULTS if r.system == "backbone")
    on_a_copy = replace(backbone, system="backbone_glove", text="glove@6B-50d", test="data/copy")
    assert warning not in notes(TABLE_6, [*RESULTS, on_a_copy])
    elsewhere = replace(backbone, seed=backbone.seed + 3, test="data/elsewhere")
    assert warning in notes(TABLE_6, [*RESULTS, on_a_copy, elsewhere])


def test_a_table_is_written_as_markdown_csv_and_picture(tmp_path: Path) -> None:
    write_table(TABLE_3, RESULTS, tmp_path)
    said = (tmp_path / "table_3.md").read_text()
    assert (
        "| STAGE | 71.00 ± 1.00 | 50.00 ± 0.00 | 60.00 ± 0.00 | - | 74.83 | 27.34 | 32.49 | 22.23 | 3 | 2.0 |"
        in said
    )
    assert "Scored on data/test." in said
    with (tmp_path / "table_3.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["row"] == "STAGE" and row["score"] == "QA Acc."]
    assert [(float(r["mean"]), float(r["sd"]), r["seeds"], r["paper"]) for r in rows] == [
        (pytest.approx(71), pytest.approx(1), "3", "74.83")
    ]
    assert (tmp_path / "table_3.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_has_no_bars_for_rows_without_figures() -> None:
    supervision = TABLES["supervision"]
    assert [row.line.system for row in drawn(fill(supervision, RESULTS))] == ["backbone", "stage"]
    assert len(drawn(fill(supervision, ()))) == len(supervision.lines)
    assert [row.line.title for row in drawn(fill(TABLE_3, ()))][-1] == "human"  # the paper's figures


def test_a_narrow_terminal_shows_every_figure(tmp_path: Path) -> None:
    console = Console(width=80, file=StringIO())
    for table in (TABLE_3, TABLE_6):
        print_grid(write_table(table, RESULTS, tmp_path), console)
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    for figure in ("71.00 ±", "1.00", "(74.83)", "(20.13)", "66.46", "60.00 ±"):
        assert figure in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("claim", "verdict", "reason"),
    [
        (Claim("", QA, "stage", "backbone"), HOLDS, "71.00 against 60.00, +11.00 points; beyond the spread"),
        (Claim("", QA, "backbone", "stage"), FAILS, "-11.00 points; beyond"),
        (Claim("", QA, "stage", "two_stream"), FAILS, "one seed, no spread"),
        (Claim("", QA, "stage", "two_stream", clearly=True), UNKNOWN, "one seed, no spread"),
        (Claim("", QA, "stage", "backbone", points=10.5, clearly=True), FAILS, "within the spread of seeds, 1.15"),
        (Claim("", QA, "stage", "backbone", points=15), FAILS, "+11.00 points; beyond"),
        (Claim("", MIOU, "stage", "backbone", factor=2), HOLDS, "3.00 times"),
        (Claim("", MAP, "stage", "backbone", factor=2), UNKNOWN, "rows missing: backbone"),
        (Claim("", QA, 30, "backbone"), FAILS, "30.00 against 60.00"),
        (Claim("", MIOU, "stage", 60.0), HOLDS, "60.00 against 60.00"),
        (Claim("", QA, GIVEN_SPAN, "stage"), HOLDS, "90.00 against 71.00"),
        (Claim("", QA, "pamn", "multi_task"), UNKNOWN, "rows missing: pamn and multi_task"),
    ],
)  # fmt: skip
def test_a_claim_is_judged_by_the_difference_and_its_standard_error(
    claim: Claim, verdict: str, reason: str
) -> None:
    (found,) = audit([claim], RESULTS)
    assert found.verdict == verdict
    assert reason in found.reason


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of two clips with features out of the air."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(3)
    store = FeatureStore.create(folder / "features", FeatureAttributes("air", TEXT_DIM, "air", REGION_DIM))
    said, answers = ("Hi there .", "The mug is red ."), ("The red mug there .", "A hat .", "The car .")
    boxes = {1: (Box(0, 0, 9, 9, "mug"),)}
    asked = [Question(i, f"clip{i % 2}", "What is it ?", answers, i % 3, (0.5, 3.5), boxes) for i in range(6)]
    texts = {*said, *(h for question in asked for h in question.hypotheses)}
    store.put_texts({t: rng.normal(size=(len(t.split()), TEXT_DIM)).astype(np.float32) for t in texts})
    corners, scores = np.array([[0, 0, 9, 9], [5, 5, 20, 20]], np.float32), np.ones(2, np.float32)
    for clip in ("clip0", "clip1"):
        features = rng.normal(size=(4, 2, REGION_DIM)).astype(np.float32)
        frames = zip(range(1, 25, 6), features, strict=True)
        store.put_clip(clip, {frame: Regions(corners, scores, found) for frame, found in frames})
    write_questions(folder / "questions.json", asked)
    spoken = {"sub_text": " <eos> ".join(said), "sub_time": [0.5, 4.0]}
    write_json(folder / "subtitles.json", {"clip0": spoken, "clip1": spoken})
    write_json(folder / "frames.json", {"clip0": 24, "clip1": 24})
    (folder / "run.yaml").write_text(
        f"data: {{train: {folder}, val: {folder}, workers: 0}}\noutput: {folder}/unused\n"
        "model: {hidden: 8}\ntraining: {epochs: 1, batch_size: 3}\n"
    )
    return folder


def runs_of(
    data: Path, out: Path, *systems: str, seeds: int = 1, settings: tuple[str, ...] = ()
) -> list[Run]:
    return unfinished_runs(data / "run.yaml", data, out, systems, seeds, settings)


@pytest.mark.parametrize(
    ("folder", "settings"),
    [("human", ()), ("sitcom", ()), ("sitcom_float32", ("training.precision=float32",))],
)
def test_what_was_measured_is_of_the_configurations_as_they_are(
    folder: str, settings: tuple[str, ...]
) -> None:
    out, name = ROOT / "results" / folder, folder.partition("_")[0]
    systems = sorted({found.system for found in read_results(out)})
    assert systems
    test = Path(f"data/{name}/test")
    assert unfinished_runs(ROOT / "configs" / f"{name}.yaml", test, out, systems, 1, settings) == []


def test_runs_are_performed_once_and_a_failure_stops_no_other(data: Path, tmp_path: Path) -> None:
    stage, longest = runs_of(data, tmp_path, "stage", "longest")
    broken = longest.model_copy(update={"test": tmp_path / "nowhere"})
    told: list[int] = []
    failures = perform_all([stage, broken], 2, lambda done, what: told.append(done))
    assert [(failure.run.name, "nowhere" in failure.reason) for failure in failures] == [
        ("longest, seed 2018", True)
    ]
    assert told[-1] == 2
    (found,) = read_results(tmp_path)
    assert (found.system, found.seed, found.text) == ("stage", 2018, "air")
    assert found.scores_given_span is not None
    assert found.minutes is not None
    assert runs_of(data, tmp_path, "stage", "longest") == [longest]
    write_result(longest.folder, perform(longest))
    publish([TABLE_3], tmp_path, Console(quiet=True))
    assert "| longest answer | 33.33 | - | - | - |" in (tmp_path / "table_3.md").read_text()
    assert f"| {UNKNOWN} |" in (tmp_path / "audit.md").read_text()


def test_a_stopped_run_goes_on_and_its_time_is_not_told(data: Path, tmp_path: Path) -> None:
    (run,) = runs_of(data, tmp_path, "backbone")
    write_json(run.folder / "run.json", json.loads(run.model_dump_json()))
    whole = perform(run)
    assert whole.minutes is not None
    assert whole.scores_given_span is None
    model = run.folder / "model"
    before = (model / "weights.safetensors").read_bytes()
    assert perform(read_run(run.folder)).scores == whole.scores
    for file in model.iterdir():
        file.unlink()
    model.rmdir()
    again = perform(run)
    assert (again.minutes, again.scores) == (None, whole.scores)
    assert (model / "weights.safetensors").read_bytes() == before


def test_a_stopped_run_goes_on_from_its_last_epoch_even_if_that_was_no_better(
    data: Path, tmp_path: Path
) -> None:
    settings = ("training.epochs=3", "training.learning_rate=1e-12")  # nothing is learnt: the first is best
    (run,) = runs_of(data, tmp_path, "questions_only", settings=settings)
    perform(run)
    kept = {
        name: torch.load(run.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["epoch"]
        for name in ("best", "last")
    }
    assert kept == {"best": 0, "last": 2}


def test_a_run_of_other_settings_is_not_taken_for_this_one(data: Path, tmp_path: Path) -> None:
    first, second = runs_of(data, tmp_path, "stage", seeds=2)
    assert (first.config.training.seed, second.config.training.seed) == (2018, 2019)
    for run in (first, second):
        write_json(run.folder / "run.json", json.loads(run.model_dump_json()))
        write_result(run.folder, result("stage", run.config.training.seed))
    assert runs_of(data, tmp_path, "stage", seeds=2, settings=("data.workers=1",)) == []
    with pytest.raises(InputError, match=r"training\.epochs was 1, now 2"):
        runs_of(data, tmp_path, "stage", settings=("training.epochs=2",))
    (tmp_path / "other").symlink_to(data)
    other = unfinished_runs(data / "run.yaml", tmp_path / "other", tmp_path, ["stage"], 1, ())
    assert [run.system for run in other] == ["stage"]


def test_what_another_command_has_finished_meanwhile_is_left_alone(data: Path, tmp_path: Path) -> None:
    (run,) = runs_of(data, tmp_path, "stage")
    write_json(run.folder / "run.json", json.loads(run.model_dump_json()))
    write_result(run.folder, result("stage", run.config.training.seed))
    (run.folder / "log.txt").write_text("what it said\n")
    before = (run.folder / "scores.json").read_bytes()
    assert perform_all([run], 1, lambda done, what: None) == []
    assert (run.folder / "scores.json").read_bytes() == before
    assert (run.folder / "log.txt").read_text() == "what it said\n"


def test_the_same_questions_by_another_path_are_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = runs_of(data, tmp_path, "longest")
    write_json(run.folder / "run.json", json.loads(run.model_dump_json()))
    write_result(run.folder, result("longest", run.config.training.seed))
    monkeypatch.chdir(data.parent)
    assert unfinished_runs(data / "run.yaml", Path(data.name), tmp_path, ["longest"], 1, ()) == []


def test_a_row_that_is_named_twice_is_run_once() -> None:
    assert systems_named(["stage", "longest", "stage"]) == ["stage", "longest"]


def test_two_processes_are_not_at_one_run(tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(InputError, match="another process"), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass


def test_rows_that_need_other_word_vectors_are_left_out(data: Path, tmp_path: Path) -> None:
    found = runs_of(data, tmp_path, "backbone", "backbone_glove", "longest", seeds=2)
    assert [run.system for run in found] == ["backbone", "longest", "backbone"]


def test_a_row_that_was_run_on_a_copy_with_its_word_vectors_is_finished(data: Path, tmp_path: Path) -> None:
    copy, out = tmp_path / "copy", tmp_path / "out"
    shutil.copytree(data, copy)
    attributes = copy / "features" / "attributes.json"
    attributes.write_text(attributes.read_text().replace('"text":"air"', '"text":"glove"'))
    settings = (f"data.train={copy}", f"data.val={copy}")
    (run,) = unfinished_runs(data / "run.yaml", copy, out, ["backbone_glove"], 1, settings)
    write_json(run.folder / "run.json", json.loads(run.model_dump_json()))
    write_result(run.folder, replace(RESULTS[0], system=run.system, text="glove@6B-50d", test=str(copy)))
    assert runs_of(data, out, "backbone_glove") == []
    (tmp_path / "other").symlink_to(copy)
    other = unfinished_runs(data / "run.yaml", tmp_path / "other", out, ["backbone_glove"], 1, settings)
    assert [found.test for found in other] == [tmp_path / "other"]
    with pytest.raises(InputError, match=r"model\.hidden was 8, now 9"):
        runs_of(data, out, "backbone_glove", settings=("model.hidden=9",))


def test_given_the_true_span_the_answer_is_that_of_the_true_span(data: Path) -> None:
    torch.manual_seed(1)
    config = StageConfig(hidden=8, text_dim=TEXT_DIM, region_dim=REGION_DIM, span_margin=0)
    stage, questions = build_model(config).eval(), open_questions(data, Limits())
    assert isinstance(stage, Stage)
    told = StageGivenSpans(config).eval()
    told.load_state_dict(stage.state_dict())
    batch = collate([questions.example(i) for i in range(6)])
    assert batch.targets is not None
    with torch.no_grad():
        start, end = (t[:, None].expand(-1, 3) for t in (batch.targets.start, batch.targets.end))
        torch.testing.assert_close(told.answer(batch).logits, stage.score(stage(batch), start, end))
        assert not torch.allclose(told.answer(batch).logits, stage.answer(batch).logits)
    trained = TrainedModel(stage, FeatureRecipe(text="air", regions="air"), Projections(), ("mug",), Limits())
    assert scores_given_true_spans(trained, questions) is not None
    plain = build_model(config.model_copy(update={"local_features": False}))
    assert scores_given_true_spans(replace(trained, stage=plain), questions) is None
