"""Released files that are damaged or hostile: what can't be read is refused in one line, and found by the check."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from samples.features import quiet
from samples.refusals import refused
from samples.release_folder import REGION_DIM, TEXT_DIM, Release
from stage.annotation.issues import Issues
from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.release.checking import check_features
from stage.release.features import ReleasedFeatures, read_split
from stage.release.files import ReleaseFiles
from stage.release.hdf5 import LARGEST_ARRAY, WIDEST, Hdf5Files
from stage.release.packing import pack_release

REGIONS = "tvqa_bbt_bottom_up_pool5_hq_20_100_pca.h5"
SUBTITLES = "bbt_sub_s_tokenized_bert_sub_qa_tuned.h5"
QUESTIONS = "bbt_qa_s_tokenized_bert_sub_qa_tuned_new_qid.h5"
FIRST = {REGIONS: "s01e00_clip", SUBTITLES: "s01e00_clip", QUESTIONS: "0_a0"}
LATER = {REGIONS: "s01e01_clip", SUBTITLES: "s01e01_clip", QUESTIONS: "1_a2"}
Make = Callable[[h5py.File, str, tuple[int, ...]], Any]


def virtual(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource("other.h5", "rows", shape)
    file.create_virtual_dataset(name, layout)


SPOILT: dict[str, tuple[Make, str]] = {
    "one axis": (lambda f, k, s: f.create_dataset(k, data=np.zeros(s[0], "f4")), "row vectors of numbers"),
    "three axes": (lambda f, k, s: f.create_dataset(k, data=np.zeros((*s, 2), "f4")), "row vectors"),
    "a single number": (lambda f, k, s: f.create_dataset(k, data=3.0), "row vectors of numbers"),
    "no value": (lambda f, k, s: f.create_dataset(k, data=h5py.Empty("f4")), "row vectors of numbers"),
    "texts": (lambda f, k, s: f.create_dataset(k, data=np.full(s, b"ab")), "row vectors of numbers"),
    "texts of any length": (lambda f, k, s: f.create_dataset(k, s, h5py.string_dtype()), "row vectors"),
    "complex": (lambda f, k, s: f.create_dataset(k, data=np.zeros(s, "c8")), "row vectors of numbers"),
    "records": (lambda f, k, s: f.create_dataset(k, data=np.zeros(s, "f4,i4")), "row vectors of numbers"),
    "references": (lambda f, k, s: f.create_dataset(k, s, h5py.ref_dtype), "row vectors of numbers"),
    "wider": (lambda f, k, s: f.create_dataset(k, data=np.zeros((s[0], 9), "f4")), r"have \d values"),
    "a group": (lambda f, k, s: f.create_group(k), "a group or a type"),
    "a type": (lambda f, k, s: f.__setitem__(k, np.dtype("f4")), "a group or a type"),
    "a link to nothing": (lambda f, k, s: f.__setitem__(k, h5py.SoftLink("/no")), "a link"),
    "a link to itself": (lambda f, k, s: f.__setitem__(k, h5py.SoftLink("/" + k)), "a link"),
    "a link to a file": (lambda f, k, s: f.__setitem__(k, h5py.ExternalLink("other.h5", "rows")), "a link"),
    "rows of a file": (virtual, "in another file"),
    "bytes of a file": (
        lambda f, k, s: f.create_dataset(k, s, "f4", external=[("other.h5", 0, 9999)]),
        "in another file",
    ),
    "rows that aren't there": (
        lambda f, k, s: f.create_dataset(k, (10**7, s[1]), "f4", chunks=(1000, s[1])),
        "the file holds less of it",
    ),
    "a billion rows": (
        lambda f, k, s: f.create_dataset(k, (10**9, s[1]), "f4", chunks=(1000, s[1]), compression="gzip"),
        f"an array may have {LARGEST_ARRAY:,} bytes",
    ),
    "a billion columns": (
        lambda f, k, s: f.create_dataset(k, (0, 10**9), "f4", chunks=(1, 1000), maxshape=(None, 10**9)),
        f"vectors of {WIDEST:,} values",
    ),
    "too large for float32": (lambda f, k, s: f.create_dataset(k, data=np.full(s, 1e300)), "infinities"),
    "too large for float16": (lambda f, k, s: f.create_dataset(k, data=np.full(s, 1e6)), "float16"),
}


def replaced(root: Path, name: str, key: str, make: Make) -> None:
    with h5py.File(root / name, "r+") as file:
        shape = file[key].shape
        del file[key]
        make(file, key, shape)


def checked(root: Path) -> Issues:
    source = ReleasedFeatures(ReleaseFiles.find(root))
    questions, issues = read_split(root, "train", source)
    check_features(source, questions, issues, quiet)
    return issues


@pytest.mark.parametrize("kind", SPOILT)
def test_an_entry_that_is_no_array_of_row_vectors_is_refused_and_found_by_the_check(
    release: Release, kind: str
) -> None:
    make, reason = SPOILT[kind]
    root = release.write()
    with h5py.File(root / "other.h5", "w") as other:
        other["rows"] = np.ones((100, REGION_DIM), np.float32)
    for name, key in LATER.items():
        replaced(root, name, key, make)
    issues = checked(root)
    places = [place for kind in issues.errors for place in issues.by_kind[kind] if re.search(reason, place)]
    for key in LATER.values():
        assert any(key in place for place in places), places
    questions = open_questions(root / "train", Limits())
    for index, name in ((1, QUESTIONS), (2, REGIONS)):
        if kind != "too large for float16":
            assert re.search(
                rf"{name}, {LATER[name]}.*{reason}", refused(partial(questions.example, index)) or ""
            )
    assert re.search(
        f"{LATER[REGIONS]}.*{reason}", refused(partial(pack_release, root, root / "p", 25, quiet)) or ""
    )


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("kind", ["one axis", "no value", "a link to a file"])
def test_the_first_entry_says_how_wide_the_others_are_only_if_it_is_an_array(
    release: Release, name: str, kind: str
) -> None:
    make, reason = SPOILT[kind]
    replaced(release.write(), name, FIRST[name], make)
    assert checked(release.root).errors
    for use in (
        partial(pack_release, release.root, release.root / "packed", 25, quiet),
        lambda: open_questions(release.root / "train", Limits()).example(0),
    ):
        assert re.search(f"{name}, {FIRST[name]}.*{reason}", refused(use) or "")


def test_a_split_whose_questions_are_all_left_out_is_refused_with_the_reason(release: Release) -> None:
    release.frames = {"another": 24}
    root = release.write()
    assert "splits without a question that can be used" in checked(root).errors
    with pytest.raises(InputError, match=r"no questions that can be used; clips without features .*: 3"):
        open_questions(root / "train", Limits())


def test_a_question_whose_texts_have_no_vectors_is_refused(release: Release) -> None:
    root = release.write()
    with h5py.File(root / QUESTIONS, "r+") as file:
        for key in ("q", "a0", "a1", "a2", "a3", "a4"):
            del file[f"1_{key}"]
            file[f"1_{key}"] = np.zeros((0, TEXT_DIM), np.float32)
    with pytest.raises(InputError, match="question 1: has no word vectors"):
        open_questions(root / "train", Limits()).example(1)


def test_one_damaged_byte_is_read_or_refused_and_what_passes_the_check_is_packed(release: Release) -> None:
    rng = random.Random(5)
    root = release.write()
    whole = {name: (root / name).read_bytes() for name in LATER}
    refusals = 0
    for trial in range(24):
        name = rng.choice(sorted(whole))
        content = bytearray(whole[name])
        content[rng.randrange(1000)] = rng.randrange(256)
        (root / name).write_bytes(content)
        issues: list[Issues] = []
        wrong = refused(lambda issues=issues: issues.append(checked(root))) or issues[0].errors
        packed = refused(lambda trial=trial: pack_release(root, root / f"packed{trial}", 25, quiet))
        assert bool(wrong) == bool(packed), (name, wrong, packed)
        refusals += bool(packed)
        (root / name).write_bytes(whole[name])
    assert refusals > 3


def test_an_entry_of_another_file_is_never_opened(release: Release) -> None:
    root = release.write()
    replaced(root, REGIONS, LATER[REGIONS], lambda f, k, s: f.__setitem__(k, h5py.ExternalLink("o.h5", "x")))
    opened = Hdf5Files()
    assert opened.has(root / REGIONS, LATER[REGIONS])
    locked = h5py.File(root / "o.h5", "w")  # to open it would be another error
    with locked, pytest.raises(InputError, match="it is a link, which isn't followed"):
        opened.array(root / REGIONS, LATER[REGIONS])
