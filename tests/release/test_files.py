"""The files of a release are found by their names, or what is missing or ambiguous is named."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stage.errors import InputError
from stage.release.files import SPLIT_FILES, SPLITS, ReleaseFiles, questions_file, splits

NAMES = [
    "tvqa_bbt_resnet_pool5_hq.h5", "tvqa_plus_pool5.h5", "frcn_cls.json", "bbt_frcnn.json",
    "qa_s_tokenized_bert.h5", "sub_s_tokenized_bert.h5", "subtitles.json",
    "tvqa_plus_subtitles.json", "frm_cnt_cache.json", "vocab.pkl", "readme.txt",
    *(name.format(split) for name in SPLIT_FILES for split in SPLITS),
]  # fmt: skip


def result_or_message(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except InputError as error:
        return str(error)


@given(st.lists(st.sampled_from(NAMES), unique=True), st.sampled_from([*SPLITS, "", "../x", "dev"]))
def test_any_folder_is_a_release_or_what_it_lacks_is_named(names: list[str], split: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in names:
            (root / name).touch()
        found = result_or_message(lambda: astuple(ReleaseFiles.find(root)))
        if isinstance(found, str):
            assert found.startswith(f"{root}: needs exactly one file ")
        else:
            assert {path.name for path in found} <= set(names)
            assert len(set(found)) == len(found)
        assert splits(root) == [s for s in SPLITS if any(n.format(s) in names for n in SPLIT_FILES)]
        path = result_or_message(lambda: questions_file(root, split))
        if split in splits(root):
            assert path == next(root / n.format(split) for n in SPLIT_FILES if n.format(split) in names)
        else:
            assert f"has no questions of split {split!r}" in str(path)
