"""The released folder is read as it is, packed without loss, and a stopped run goes on."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from stage.data.examples import Limits, collate
from stage.data.layouts import open_questions
from stage.data.layouts.detections import DetectionFile
from stage.errors import InputError
from stage.features.store.feature_store import FeatureStore
from stage.inference.predict import predict
from stage.io import write_json
from stage.model.config import StageConfig
from stage.model.stage import Stage
from stage.release.packing import pack_release

TEXT_DIM, REGION_DIM, FRAMES = 4, 6, 24


def quiet(done: int, of: int, what: str) -> None:
    pass


@dataclass
class Release:
    """A small folder in the released layout; a test may make it irregular before it is written."""

    root: Path
    questions: list[dict[str, Any]] = field(default_factory=list)
    subtitles: dict[str, Any] = field(default_factory=dict)
    detections: dict[str, Any] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    words_missing: dict[str, int] = field(default_factory=dict)
    """Clip -> rows that its subtitle words lack."""
    region_dims: dict[str, int] = field(default_factory=dict)

    @classmethod
    def regular(cls, root: Path) -> Release:
        made = cls(root)
        rng = np.random.default_rng(3)
        for c in range(3):
            clip = f"s01e0{c}_clip"
            made.frames[clip] = FRAMES
            made.subtitles[clip] = {"sub_text": "Hi there . <eos> The mug is red .", "sub_time": [0.5, 4.0]}
            counts = rng.integers(1, 4, FRAMES).tolist()
            boxes = [[[10.0 * r, 5, 10.0 * r + 60, 90] for r in range(n)] for n in counts]
            labels = [[f"thing{r}" for r in range(n)] for n in counts]
            made.detections[clip] = {"boxes": boxes, "counts": counts, "object": labels}
            for n in range(2):
                mug = {"img_id": 4, "label": "mug", "left": 1, "top": 6, "width": 58, "height": 84}
                made.questions.append(
                    {
                        "qid": 10 * c + n, "vid_name": clip, "q": "What is red ?", "answer_idx": n,
                        **{f"a{k}": f"The {word} ." for k, word in enumerate(["mug", "hat", "car", "cat", "dog"])},
                        "ts": [1.0, 5.0], "bbox": {"4": [mug], "10": []},
                    }
                )  # fmt: skip
        return made

    def write(self) -> Path:
        rng = np.random.default_rng(5)

        def rows(count: int, width: int) -> np.ndarray:
            return rng.normal(size=(count, width)).astype(np.float32)

        self.root.mkdir(exist_ok=True)
        with h5py.File(self.root / "tvqa_bbt_bottom_up_pool5_hq_20_100_pca.h5", "w") as file:
            for clip, found in self.detections.items():
                file[clip] = rows(sum(found["counts"]), self.region_dims.get(clip, REGION_DIM))
        with h5py.File(self.root / "bbt_sub_s_tokenized_bert_sub_qa_tuned.h5", "w") as file:
            for clip, said in self.subtitles.items():
                words = len(said["sub_text"].replace("<eos>", "").split())
                file[clip] = rows(words - self.words_missing.get(clip, 0), TEXT_DIM)
        with h5py.File(self.root / "bbt_qa_s_tokenized_bert_sub_qa_tuned_new_qid.h5", "w") as file:
            for q in self.questions:
                for key in ("q", "a0", "a1", "a2", "a3", "a4"):
                    file[f"{q['qid']}_{key}"] = rows(len(q[key].split()), TEXT_DIM)
        write_json(self.root / "tvqa_plus_train_preprocessed.json", self.questions)
        write_json(self.root / "tvqa_plus_valid_preprocessed.json", self.questions[:2])
        write_json(self.root / "tvqa_plus_subtitles.json", self.subtitles)
        write_json(self.root / "tvqa_bbt_frcn_vg_hq_20_100.json", self.detections)
        write_json(self.root / "frm_cnt_cache.json", self.frames)
        return self.root


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release.regular(tmp_path / "release")


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
    ("spoil", "told"),
    [
        (frame_past_end, "frame 40 of 24 in s01e00_clip, question 0"),
        (few_rows, "1 clips with too few subtitle rows (s01e01_clip: 5 rows for 8"),
        (no_boxes, "1 questions without boxes (question 10"),
        (wide_box, "1 boxes that reach past the picture ('mug' in frame 4, question 1"),
        (no_truth, "1 questions without an answer (question 11"),
        (no_clip, "1 clips without features, their questions left out (s01e02_clip, question 20"),
    ],
)  # fmt: skip
def test_what_is_irregular_is_counted_and_named_and_not_fatal(
    release: Release, spoil: Callable[[Release], object], told: str
) -> None:
    spoil(release)
    questions = open_questions(release.write() / "train", Limits())
    assert any(told in note for note in questions.notes), questions.notes
    model = Stage(StageConfig(text_dim=TEXT_DIM, region_dim=REGION_DIM, hidden=8)).eval()
    for i in range(len(questions)):
        assert torch.isfinite(model.answer(collate([questions.example(i)])).logits).all()


def test_a_test_split_without_truth_is_predicted_and_questions_without_answer_are_not_trained_on(
    release: Release,
) -> None:
    no_truth(release)
    root = release.write()
    assert [q.qid for q in open_questions(root / "train", Limits()).answered().questions] == [
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
        test.answered()


def test_a_pickle_beside_the_features_is_not_read(release: Release) -> None:
    root = release.write()
    (root / "tvqa_bbt_frcn_vg_hq_20_100.json").unlink()
    (root / "det_visual_concepts_hq.pickle").write_bytes(b"anything")
    with pytest.raises(InputError, match=r"concepts_hq\.pickle was not read"):
        open_questions(root / "train", Limits())


def test_a_wrong_dimension_is_told_with_both_numbers(release: Release) -> None:
    release.region_dims["s01e01_clip"] = 5
    questions = open_questions(release.write() / "train", Limits())
    with pytest.raises(InputError, match=r"s01e01_clip.*, 5\).*6 values"):
        questions.example(2)


def test_packed_features_are_those_that_were_released(release: Release) -> None:
    root = release.write()
    released = open_questions(root / "train", Limits())
    pack_release(root, root / "packed", 25, quiet)
    packed = open_questions(root / "train", Limits())
    assert packed.name.startswith(str(root / "packed"))
    torch.manual_seed(0)
    model = Stage(StageConfig(text_dim=TEXT_DIM, region_dim=REGION_DIM, hidden=16)).eval()
    with torch.inference_mode():
        a, b = (
            model.answer(collate([s.example(i) for i in range(len(s))])).logits.softmax(-1)
            for s in (released, packed)
        )
    assert torch.allclose(a, b, atol=1e-3)
    assert not torch.equal(a, b)  # float16 is read, not the released file again
    assert packed.questions == released.questions


def test_packing_goes_on_after_a_stop(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    root = release.write()
    put = FeatureStore.put_clip
    done: list[str] = []

    def put_two(store: FeatureStore, name: str, frames: Any) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(name)
        put(store, name, frames)

    monkeypatch.setattr(FeatureStore, "put_clip", put_two)
    with pytest.raises(KeyboardInterrupt):
        pack_release(root, root / "packed", 25, quiet)
    again: list[str] = []
    monkeypatch.setattr(FeatureStore, "put_clip", lambda s, name, f: (again.append(name), put(s, name, f)))
    pack_release(root, root / "packed", 25, quiet)
    assert len(again) == 1
    assert not set(again) & set(done)
    assert open_questions(root / "train", Limits()).example(5).regions


def test_a_place_without_questions_says_what_would_be_there(release: Release, tmp_path: Path) -> None:
    root = release.write()
    with pytest.raises(InputError, match="train, valid"):
        open_questions(root, Limits())
    with pytest.raises(InputError, match="stage sitcom"):
        open_questions(tmp_path / "nothing", Limits())
    (root / "frm_cnt_cache.json").unlink()
    with pytest.raises(InputError, match="frm_cnt_cache"):
        open_questions(root / "train", Limits())


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


def test_detections_are_found_in_a_file_of_any_spacing_and_spelling(tmp_path: Path) -> None:
    content = {
        "clip one": {"boxes": [[[1, 2, 3, 4]], []], "counts": [1, 0], "object": [["café {"], []]},
        'zwei "ü"': {"boxes": [[]], "counts": [0], "object": [[]]},
    }
    for name, text in (
        ("a", json.dumps(content)),
        ("b", json.dumps(content, ensure_ascii=False, indent=3)),
        ("c", "\n " + json.dumps(content, separators=(",", ":"))),
    ):
        (tmp_path / name).write_text(text)
        found = DetectionFile(tmp_path / name)
        assert list(found.places) == list(content)
        assert found.clip("clip one").labels == [("café {",), ()]
        assert found.clip("clip one").boxes[0].tolist() == [[1, 2, 3, 4]]
        assert found.clip('zwei "ü"').counts == [0]
    (tmp_path / "half").write_text(json.dumps(content)[:-9])
    with pytest.raises(InputError, match="not whole"):
        DetectionFile(tmp_path / "half")


@pytest.mark.parametrize("packed", [False, True])
def test_worker_processes_are_given_a_data_set(release: Release, packed: bool) -> None:
    root = release.write()
    if packed:
        pack_release(root, root / "packed", 25, quiet)
    questions = open_questions(root / "train", Limits())
    before = collate([questions.example(i) for i in range(3)])  # files are open now
    after = collate([pickle.loads(pickle.dumps(questions)).example(i) for i in range(3)])
    assert torch.equal(before.words, after.words)
    assert torch.equal(before.pictures.elements, after.pictures.elements)
    assert torch.equal(before.dialogue.elements, after.dialogue.elements)


def test_packing_again_with_other_settings_is_refused(release: Release) -> None:
    root = release.write()
    pack_release(root, root / "packed", 2, quiet)
    with pytest.raises(InputError, match=r"packed.*regions.*2.*3"):
        pack_release(root, root / "packed", 3, quiet)
    pack_release(root, root / "packed", 2, quiet)


def test_features_that_are_no_numbers_are_named_each_time(release: Release) -> None:
    root = release.write()
    with h5py.File(root / "tvqa_bbt_bottom_up_pool5_hq_20_100_pca.h5", "r+") as file:
        clip = sorted(file)[1]
        file[clip][:, 0] = np.nan
    for _ in range(2):
        with pytest.raises(InputError, match=rf"{clip}, frame .*no number"):
            pack_release(root, root / "packed", 25, quiet)


def test_a_faulty_write_is_not_taken_for_done(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    root = release.write()
    put = FeatureStore.put_clip

    def faulty(store: FeatureStore, name: str, frames: Any) -> None:
        put(store, name, {n: replace(found, boxes=found.boxes + 1) for n, found in frames.items()})

    with monkeypatch.context() as broken:
        broken.setattr(FeatureStore, "put_clip", faulty)
        with pytest.raises(InputError, match="disk full or faulty"):
            pack_release(root, root / "packed", 25, quiet)
    pack_release(root, root / "packed", 25, quiet)
    packed, released = (
        open_questions(place, Limits()).example(0) for place in (root / "packed" / "train", root / "train")
    )
    assert np.allclose(packed.regions[0].boxes, released.regions[0].boxes)
