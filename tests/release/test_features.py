"""The released folder is read as it is."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable

import h5py
import numpy as np
import pytest
import torch

from samples.features import quiet
from samples.release_folder import REGION_DIM, TEXT_DIM, Release
from stage.data.examples import Limits, collate
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.inference.predict import predict
from stage.io import write_json
from stage.model.config import StageConfig
from stage.model.stage import Stage
from stage.release.packing import pack_release


def test_the_released_folder_is_read_as_it_is(release: Release) -> None:
    questions = open_questions(release.write() / "train", Limits())
    assert len(questions) == 6
    assert (questions.text_dim, questions.region_dim) == (TEXT_DIM, REGION_DIM)
    assert questions.notes == ()
    example = questions.example(1)
    assert example.frames == (4, 10, 16, 22)  # the first annotated frame and every sixth around it
    assert example.question.answer_index == 1
    assert [h.shape for h in example.hypotheses] == [(7, TEXT_DIM)] * 5
    with h5py.File(release.root / "bbt_qa_s_tokenized_bert_sub_qa_tuned_new_qid.h5") as stored:
        assert np.array_equal(example.hypotheses[2], np.concatenate([stored["1_q"][()], stored["1_a2"][()]]))
    first = sum(release.detections["s01e00_clip"]["counts"][:3])
    with h5py.File(release.root / "tvqa_bbt_bottom_up_pool5_hq_20_100_pca.h5") as stored:
        expected = stored["s01e00_clip"][first]
    assert np.array_equal(example.regions[0].features[0], expected)
    assert example.grounding == ()  # the right answer of this question is the hat, which has no box
    assert [position for position, _ in questions.example(0).grounding] == [0]


def frame_past_end(release: Release) -> None:
    boxes = release.questions[0]["bbox"]
    boxes["40"] = boxes["4"]


def few_rows(release: Release) -> None:
    release.words_missing["s01e01_clip"] = 3


def no_boxes(release: Release) -> None:
    release.questions[2]["bbox"] = {}


def wide_box(release: Release) -> None:
    release.questions[1]["bbox"]["4"][0]["left"] = 600


def no_truth(release: Release) -> None:
    for key in ("answer_idx", "ts", "bbox"):
        del release.questions[3][key]


def no_clip(release: Release) -> None:
    del release.frames["s01e02_clip"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (frame_past_end, "frame 40 of 24 in s01e00_clip, question 0"),
        (few_rows, "clips with too few subtitle rows: 1 (s01e01_clip: 5 rows for 8"),
        (no_boxes, "questions without boxes: 1 (question 10"),
        (wide_box, "boxes that extend beyond the frame: 1 ('mug' in frame 4, question 1"),
        (no_truth, "questions without a right answer: 1 (question 11"),
        (no_clip, "clips without features (questions omitted): 1 (s01e02_clip, question 20"),
    ],
)  # fmt: skip
def test_irregularities_are_counted_and_named_and_not_fatal(
    release: Release, spoil: Callable[[Release], object], message: str
) -> None:
    spoil(release)
    questions = open_questions(release.write() / "train", Limits())
    assert any(message in note for note in questions.notes), questions.notes
    model = Stage(StageConfig(text_dim=TEXT_DIM, region_dim=REGION_DIM, hidden=8)).eval()
    for i in range(len(questions)):
        assert torch.isfinite(model.answer(collate([questions.example(i)])).logits).all()


def test_a_test_split_without_labels_is_predicted_and_unlabelled_questions_are_not_trained_on(
    release: Release,
) -> None:
    no_truth(release)
    root = release.write()
    assert [q.qid for q in open_questions(root / "train", Limits()).labelled().questions] == [
        0,
        1,
        10,
        20,
        21,
    ]
    truth = ("answer_idx", "ts", "bbox")
    write_json(
        root / "tvqa_plus_test_preprocessed.json",
        [{key: value for key, value in q.items() if key not in truth} for q in release.questions],
    )
    test = open_questions(root / "test", Limits())
    model = Stage(StageConfig(text_dim=TEXT_DIM, region_dim=REGION_DIM, hidden=8)).eval()
    predictions = predict(model, [test.example(i) for i in range(len(test))], {"mug"})
    assert [p.qid for p in predictions] == [q.qid for q in test.questions]
    with pytest.raises(InputError, match="nothing to train on"):
        test.labelled()


def test_a_pickle_next_to_the_features_is_not_read(release: Release) -> None:
    root = release.write()
    (root / "tvqa_bbt_frcn_vg_hq_20_100.json").unlink()
    (root / "det_visual_concepts_hq.pickle").write_bytes(b"anything")
    with pytest.raises(InputError, match=r"concepts_hq\.pickle was not read"):
        open_questions(root / "train", Limits())


def test_a_wrong_dimension_is_reported_with_both_numbers(release: Release) -> None:
    release.region_dims["s01e01_clip"] = 5
    questions = open_questions(release.write() / "train", Limits())
    with pytest.raises(InputError, match=r"s01e01_clip.*, 5\).*6 values"):
        questions.example(2)


def test_tvqa_is_read_from_lines_without_boxes(release: Release) -> None:
    root = release.write()
    for path in root.glob("tvqa_plus_*_preprocessed.json"):
        path.unlink()
    lines = []
    for q, span in zip(release.questions, ("1.2-4.5", "nan-nan") * 3, strict=True):
        lines.append(
            json.dumps({**{k: v for k, v in q.items() if k != "bbox"}, "ts": span, "show_name": "x"})
        )
    (root / "tvqa_train.jsonl").write_text("\n".join(lines) + "\n")
    questions = open_questions(root / "train", Limits())
    assert [q.span for q in questions.questions[:2]] == [(1.2, 4.5), None]
    batch = collate([questions.example(i) for i in (0, 1)])
    assert batch.targets is not None
    assert batch.targets.grounding is None
    assert batch.targets.has_span.tolist() == [True, False]


@pytest.mark.parametrize("packed", [False, True])
def test_a_data_set_can_be_sent_to_worker_processes(release: Release, packed: bool) -> None:
    root = release.write()
    if packed:
        pack_release(root, root / "packed", 25, quiet)
    questions = open_questions(root / "train", Limits())
    before = collate([questions.example(i) for i in range(3)])  # files are open now
    after = collate([pickle.loads(pickle.dumps(questions)).example(i) for i in range(3)])
    assert torch.equal(before.words, after.words)
    assert torch.equal(before.regions.elements, after.regions.elements)
    assert torch.equal(before.subtitles.elements, after.subtitles.elements)


REGIONS = "tvqa_bbt_bottom_up_pool5_hq_20_100_pca.h5"


def test_a_locked_file_is_called_locked_and_not_broken(release: Release) -> None:
    path = release.write() / REGIONS
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import h5py; f = h5py.File({str(path)!r}, 'r+'); print('open', flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(InputError, match=rf"{REGIONS}: is in use by another program"):
            open_questions(release.root / "train", Limits())
    finally:
        writer.communicate(b"\n")
    assert len(open_questions(release.root / "train", Limits())) == 6
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=rf"{REGIONS}: is not a complete HDF5 file"):
        open_questions(release.root / "train", Limits())
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=rf"{REGIONS}: can't be opened \(Is a directory\)"):
        open_questions(release.root / "train", Limits())


def test_released_files_that_are_replaced_are_an_error(release: Release) -> None:
    root = release.write()
    for name in (
        REGIONS,
        "tvqa_bbt_frcn_vg_hq_20_100.json",
        "bbt_qa_s_tokenized_bert_sub_qa_tuned_new_qid.h5",
    ):
        questions = open_questions(root / "train", Limits())
        if name != REGIONS:  # opened for the first clip only, or for its names
            questions.example(1)
        shutil.copy(root / name, root / "copy")
        os.replace(root / "copy", root / name)
        for reader in (questions, pickle.loads(pickle.dumps(questions))):
            with pytest.raises(InputError, match=rf"{name}: was changed while it was in use"):
                reader.example(4)


@pytest.mark.parametrize(
    ("name", "key", "where"),
    [
        (REGIONS, "s01e00_clip", "s01e00_clip, frame 4"),
        ("bbt_qa_s_tokenized_bert_sub_qa_tuned_new_qid.h5", "1_a2", "1_a2"),
    ],
)
def test_released_features_that_are_not_finite_are_named(
    release: Release, name: str, key: str, where: str
) -> None:
    root = release.write()
    with h5py.File(root / name, "r+") as file:
        file[key][:, 0] = np.nan
    with pytest.raises(InputError, match=rf"{name}, {where}: contains NaN or infinities"):
        open_questions(root / "train", Limits()).example(1)


def test_frames_without_released_regions_are_empty_also_when_they_are_packed(release: Release) -> None:
    found = release.detections["s01e00_clip"]
    root = release.write()
    cut = json.loads((root / "tvqa_bbt_frcn_vg_hq_20_100.json").read_text())
    for key in ("boxes", "object", "counts"):
        cut["s01e00_clip"][key] = found[key][:15]
    write_json(root / "tvqa_bbt_frcn_vg_hq_20_100.json", cut)
    released = open_questions(root / "train", Limits())
    assert [len(regions) for regions in released.example(1).regions][-2:] == [0, 0]
    assert max(released.regions_of("s01e00_clip")) == 15
    pack_release(root, root / "packed", 25, quiet)
    packed = open_questions(root / "train", Limits())
    assert [len(regions) for regions in packed.example(1).regions][-2:] == [0, 0]


def test_the_fingerprint_changes_with_the_files(release: Release) -> None:
    root = release.write()
    before = open_questions(root / "train", Limits()).source.fingerprint(["s01e00_clip"])
    assert open_questions(root / "train", Limits()).source.fingerprint(["s01e00_clip"]) == before
    with h5py.File(root / REGIONS, "r+") as file:
        rows = file["s01e00_clip"][()]
        del file["s01e00_clip"]
        file["s01e00_clip"] = rows[:-1]
    assert open_questions(root / "train", Limits()).source.fingerprint(["s01e00_clip"]) != before
