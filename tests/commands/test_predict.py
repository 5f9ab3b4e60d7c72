"""`stage predict` writes predictions that share one vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samples.answerers import DOWN, Server, use
from samples.command_line import Run
from samples.predictions import question
from stage.annotation.questions import write_questions
from stage.io import write_json
from stage.types import Box


def test_prediction_files_in_one_folder_share_a_vocabulary(
    run: Run, sitcom_data: Path, sitcom_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "predictions"
    write_json(out / "word2idx.json", {"<unk>": 0, "unheard-of": 7, "mia": 3})
    assert run("predict", sitcom_data, out / "a.json", "--model", sitcom_model).code == 0
    words = json.loads((out / "word2idx.json").read_text())
    assert (words["<unk>"], words["unheard-of"], words["mia"]) == (0, 7, 3)
    assert len(set(words.values())) == len(words) > 20
    assert min(set(words.values()) - {0, 3, 7}) == 8
    before = (out / "word2idx.json").stat().st_mtime_ns
    assert run("predict", sitcom_data, out / "b.json", "--model", sitcom_model).code == 0
    assert (out / "word2idx.json").stat().st_mtime_ns == before
    assert (out / "a.json").read_bytes() == (out / "b.json").read_bytes()
    assert run("predict", sitcom_data, out, "--model", sitcom_model).refused("is a folder")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return use(monkeypatch)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with questions alone."""
    (tmp_path / "data").mkdir()
    asked = [question(i, answer_index=int(i == 5), boxes={7: (Box(1, 2, 3, 4, "mia"),)}) for i in range(1, 6)]
    write_questions(tmp_path / "data" / "questions.json", asked)
    return tmp_path / "data"


def test_predictions_of_a_server_that_went_down_are_kept_and_resumed(
    run: Run, server: Server, data: Path, tmp_path: Path
) -> None:
    command = ("predict", data, tmp_path / "p.json", "--model", "fake:x")
    assert run("predict", data, tmp_path / "whole.json", "--model", "fake:x").code == 0
    server.asked.clear()
    server.works_for = 3
    done = run(*command)
    assert done.code == 2, done
    assert (
        f"{DOWN}; what was predicted is in {tmp_path / 'p.json.unfinished'}: the same command resumes"
        in done.err
    )
    assert not (tmp_path / "p.json").exists()
    server.works_for = 9
    again = run(*command)
    assert again.code == 0, again
    assert "3 predictions from there" in again.err
    assert len(server.asked) == 5
    assert (tmp_path / "p.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert sorted(path.name for path in tmp_path.glob("p.json*")) == ["p.json"]


def test_predictions_of_other_questions_are_not_mixed_in(
    run: Run, server: Server, data: Path, tmp_path: Path
) -> None:
    server.works_for = 3
    assert run("predict", data, tmp_path / "p.json", "--model", "fake:x").code == 2
    write_questions(data / "questions.json", [question(9)])
    done = run("predict", data, tmp_path / "p.json", "--model", "fake:x")
    assert done.code == 2
    assert "keeps what another command has done so far" in done.err


def test_what_is_damaged_is_named(run: Run, server: Server, data: Path, tmp_path: Path) -> None:
    server.works_for = 2
    command = ("predict", data, tmp_path / "p.json", "--model", "fake:x")
    assert run(*command).code == 2
    kept = tmp_path / "p.json.unfinished"
    whole = kept.read_text()
    for damage in (whole.replace('"qid":2', '"qid":77'), whole.replace('"spans"', '"span"')):
        kept.write_text(damage)
        done = run(*command)
        assert done.code == 2
        assert "damaged" in done.err
        assert len(done.err.splitlines()) <= 3  # a note on the data, what was found, and the reason


def test_answerers_that_read_no_features_are_compared_and_one_that_fails_costs_no_other_its_scores(
    run: Run, server: Server, data: Path, tmp_path: Path
) -> None:
    server.works_for = 8
    done = run("compare", data, "fake:x", "fake:y", "--json", tmp_path / "s.json")
    assert done.code == 1, done
    assert f"stage: fake:y: not scored: {DOWN}" in done.err
    assert "fake:x: a fake" in done.err
    scores = json.loads((tmp_path / "s.json").read_text())
    assert list(scores) == ["fake:x"]
    # The fake takes the first answer, which is right for four of five.
    assert scores["fake:x"]["qa_accuracy"] == 0.8
    assert "recall of annotated boxes" not in done.out
    server.works_for = 0
    assert DOWN in run("compare", data, "fake:x").err
