"""`stage predict` writes predictions that share one vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

from samples.command_line import Run
from stage.io import write_json


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
