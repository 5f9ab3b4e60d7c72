"""A small folder in the layout of the authors' release."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from stage.io import write_json

TEXT_DIM, REGION_DIM, FRAMES = 4, 6, 24


@dataclass
class Release:
    """A small folder in the released layout; a test may make it irregular before it is written."""

    root: Path
    questions: list[dict[str, Any]] = field(default_factory=list)
    subtitles: dict[str, Any] = field(default_factory=dict)
    detections: dict[str, Any] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    words_missing: dict[str, int] = field(default_factory=dict)
    """Clip -> the number of rows missing from its subtitle words."""
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
