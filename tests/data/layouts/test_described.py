"""Clips described in words, with labelled boxes: trained and tested on like any other data set."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples.places import ROOT
from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.inference.score import evaluate_model
from stage.training.config import load_config
from stage.training.loop import train

HUMAN = ROOT / "configs" / "human.yaml"
SMALL = ("model.hidden=16", "training.epochs=1", "training.batch_size=4", "training.compile=never")
FRAMES = 24


def question(qid: int, clip: str) -> dict[str, Any]:
    box = {"label": "cup", "left": 10, "top": 10, "width": 50, "height": 60, "img_id": 7}
    answers = {f"a{k}": f"A {thing} ." for k, thing in enumerate(("cup", "hat", "phone", "book", "pizza"))}
    return {
        "qid": qid,
        "vid_name": clip,
        "q": "What is Penny holding when she comes in ?",
        **answers,
        "answer_idx": "0",
        "ts": [2.0, 4.0],
        "bbox": {"7": [box]},
    }


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAGE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "described"
    folder.mkdir()
    split = {"train": ["clip_1", "clip_2"], "dev": ["clip_3"]}
    clips = [clip for part in split.values() for clip in part]
    lines = {
        "sub_text": "Penny comes in with a cup . <eos> She sits down .",
        "sub_time": [1.0, 5.0],
        "sub_end": [4.0, 8.0],
    }
    frame = [[10, 10, 60, 70], [100, 20, 200, 120]]
    found = {
        "boxes": [frame] * FRAMES,
        "object": [["cup", "penny"]] * FRAMES,
        "counts": [2] * FRAMES,
        "frames": FRAMES,
    }
    (folder / "split.json").write_text(json.dumps(split))
    (folder / "captions.json").write_text(json.dumps(dict.fromkeys(clips, lines)))
    (folder / "questions.json").write_text(json.dumps([question(n, clip) for n, clip in enumerate(clips)]))
    with gzip.open(folder / "detections.json.gz", "wt") as file:
        json.dump(dict.fromkeys(clips, found), file)
    return folder


@pytest.mark.slow
def test_any_folder_of_the_layout_is_trained_and_scored_on(root: Path, tmp_path: Path) -> None:
    config = load_config(HUMAN, [f"data.root={root}", f"output={tmp_path / 'run'}", *SMALL])
    trained, scores = train(config)
    assert scores.grounding_map is not None
    assert not any("region_embedding" in name for name, _ in trained.model.named_parameters())
    together = open_questions(root / "train+dev", Limits())
    assert len(together) == 3
    assert evaluate_model(trained, together).qa_accuracy in (0, 1)  # the same question three times


def test_a_region_has_the_vector_of_its_label(root: Path) -> None:
    questions = open_questions(root / "train", Limits())
    example = questions.example(0)
    cup = example.regions[0].labels.index("cup")
    [word] = questions.source.store.text("cup")  # type: ignore[attr-defined]
    assert (example.regions[0].features[cup] == word).all()


def test_the_folder_says_which_encoder_makes_its_word_vectors(root: Path, tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("cup 1 2\npenny 3 4\n")
    (root / "text_encoder.txt").write_text(f"{vectors}\n")
    questions = open_questions(root / "train", Limits())
    assert (questions.text_dim, questions.region_dim) == (2, 2)
    found = questions.example(0).regions[0]
    assert found.features[found.labels.index("penny")].tolist() == [3, 4]
    (root / "text_encoder.txt").write_text("./nowhere")
    with pytest.raises(InputError, match=r"text_encoder\.txt: \./nowhere: no such file or folder"):
        open_questions(root / "train", Limits())


def test_regions_that_are_not_words_are_not_embedded_as_words(root: Path, tmp_path: Path) -> None:
    settings = [f"data.root={root}", f"output={tmp_path / 'run'}", *SMALL]
    with pytest.raises(InputError, match=r"leave out model\.region_components"):
        train(load_config(HUMAN, [*settings, "model.region_components=4"]))


def test_too_few_words_are_not_whitened(root: Path, tmp_path: Path) -> None:
    settings = [f"data.root={root}", f"output={tmp_path / 'run'}", *SMALL, "model.whiten=true"]
    with pytest.raises(InputError, match=r"too few for 384 components.*don't whiten"):
        train(load_config(HUMAN, settings))


def test_a_clip_without_its_files_is_reported_and_omitted(root: Path) -> None:
    (root / "captions.json").write_text(json.dumps({}))
    split = json.loads((root / "split.json").read_text())
    split["train"].append("clip_4")
    (root / "split.json").write_text(json.dumps(split))
    (root / "questions.json").write_text(json.dumps([question(n, f"clip_{n}") for n in range(1, 5)]))
    questions = open_questions(root / "train", Limits())
    assert [q.clip for q in questions.questions] == ["clip_1", "clip_2"]
    missing, silent = questions.notes
    assert missing.startswith("clips without detections (questions omitted): 1 (clip_4")
    assert silent.startswith("clips without descriptions: 2 (first: clip_1")


def test_missing_splits_and_files_are_named(root: Path) -> None:
    with pytest.raises(InputError, match=r"split.json: has no split 'test'; it has train, dev"):
        open_questions(root / "test", Limits())
    (root / "questions.json").unlink()
    with pytest.raises(InputError, match=r"has no annotation; put the questions there as questions.json"):
        open_questions(root / "train", Limits())


@pytest.mark.slow
def test_frames_without_detections_are_trained_on(root: Path, tmp_path: Path) -> None:
    with gzip.open(root / "detections.json.gz", "rt") as file:
        found = json.load(file)
    for clip in found.values():
        for frame in range(0, FRAMES, 2):
            clip["boxes"][frame], clip["object"][frame] = [], []
    with gzip.open(root / "detections.json.gz", "wt") as file:
        json.dump(found, file)
    config = load_config(HUMAN, [f"data.root={root}", "data.val=dev", f"output={tmp_path / 'out'}", *SMALL])
    _, scores = train(config)
    assert scores.question_count == 1


def test_described_clips_can_be_sent_to_worker_processes(root: Path) -> None:
    questions = open_questions(root / "train", Limits())
    before, after = questions.example(0), pickle.loads(pickle.dumps(questions)).example(0)
    assert all(
        np.array_equal(a.features, b.features) for a, b in zip(before.regions, after.regions, strict=True)
    )


@pytest.mark.parametrize("content", [[], "train", {"train": 3}, {"train": "clip_1"}, {"train": [["clip_1"]]}])
def test_splits_of_another_shape_are_refused(root: Path, content: Any) -> None:
    (root / "split.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"split\.json: should map splits to lists"):
        open_questions(root / "train", Limits())
