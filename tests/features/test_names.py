"""One model has one name, and features of older or other spellings of it are its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from stage.errors import InputError
from stage.features.names import concept_parts, name_of_file, same_model, with_digests, without_digest
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import FeatureStore

DIGEST, OTHER = "0123456789ab", "ba9876543210"


def test_every_spelling_of_a_file_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bert").mkdir()
    names = {
        name_of_file(path, DIGEST * 5) for path in (Path("bert"), Path("./x/../bert"), tmp_path / "bert")
    }
    assert names == {f"{tmp_path / 'bert'}@{DIGEST}"}
    name = name_of_file(Path("bert"), DIGEST * 5, OTHER * 5)
    assert name == f"{tmp_path / 'bert'}@{DIGEST}-{OTHER}"
    assert without_digest(name) == str(tmp_path / "bert")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (f"bert@{DIGEST}", f"/home/mia/bert@{DIGEST}", True),
        (f"./bert@{DIGEST}", f"bert@{DIGEST}", True),
        (f"/old/bert@{DIGEST}", f"/new/name@{DIGEST}", True),
        (f"bert@{DIGEST}", f"bert@{OTHER}", False),
        (f"concepts:bert@{DIGEST}", f"concepts:./bert@{DIGEST}", True),
        (f"concepts:bert@{DIGEST}", f"bert@{DIGEST}", False),
        (f"/a/bert@{DIGEST}-{OTHER}", f"/b/bert@{DIGEST}-{OTHER}", True),
        (f"/a/bert@{DIGEST}-{OTHER}", f"/a/bert@{DIGEST}-{DIGEST}", False),
        (f"/a/bert@{DIGEST}-{OTHER}", f"/a/bert@{OTHER}-{OTHER}", False),
        (f"/a/bert@{DIGEST}-{OTHER}", f"bert@{DIGEST}", True),  # of an older version
        (f"concepts:/a/bert@{DIGEST}-{OTHER}", f"concepts:/a/bert@{DIGEST}-{DIGEST}", False),
        ("owner/bert", "owner/bert", True),
        ("owner/bert", "other/bert", False),
        ("glove@6B-50d", "glove@6B-50d", True),
        ("letters@1", "figures@1", False),
        ("", "", True),
        ("", f"bert@{DIGEST}", False),
    ],
)
def test_names_with_the_same_digest_are_of_the_same_model(first: str, second: str, same: bool) -> None:
    assert same_model(first, second) is same_model(second, first) is same


def test_a_store_accepts_other_spellings_and_keeps_the_current_one(tmp_path: Path) -> None:
    def made_with(text: str) -> str:
        return FeatureStore.create(
            tmp_path / "store", FeatureAttributes(text=text, text_dim=4)
        ).attributes.text

    made_with(f"bert@{DIGEST}")
    assert made_with(f"/old/bert@{DIGEST}") == f"/old/bert@{DIGEST}"
    assert made_with(f"/new/bert@{DIGEST}") == f"/new/bert@{DIGEST}"
    FeatureStore.create(tmp_path / "store", FeatureAttributes(regions="stage@1", region_dim=2))
    assert FeatureStore.open(tmp_path / "store").attributes.text == f"/new/bert@{DIGEST}"
    with pytest.raises(InputError, match=f"contains features of /new/bert@{DIGEST}"):
        made_with(f"/new/bert@{OTHER}")
    assert made_with(f"/new/bert@{DIGEST}-{OTHER}") == f"/new/bert@{DIGEST}-{OTHER}"
    with pytest.raises(InputError, match=f"contains features of /new/bert@{DIGEST}-{OTHER}"):
        made_with(f"/new/bert@{DIGEST}-{DIGEST}")


def test_a_copy_of_a_packaged_model_does_not_rename_its_features(tmp_path: Path) -> None:
    FeatureStore.create(tmp_path, FeatureAttributes(text=f"minilm@{DIGEST}", text_dim=4))
    same = FeatureStore.create(tmp_path, FeatureAttributes(text=f"/a/copy@{DIGEST}", text_dim=4))
    assert same.attributes.text == f"minilm@{DIGEST}"


def test_the_identity_of_features_stays_when_their_encoder_moves() -> None:
    here, there, other = (
        FeatureAttributes(text=f"/{folder}/bert@{weights * 12}", text_dim=8)
        for folder, weights in (("here", "a"), ("there", "a"), ("here", "b"))
    )
    assert here.identity == there.identity != other.identity
    assert here.digest != there.digest


def test_an_onnx_file_s_name_ends_with_its_digests_too() -> None:
    name = with_digests("onnx:/a/d.onnx:/a/labels.txt", DIGEST * 5, OTHER * 5)
    assert name == f"onnx:/a/d.onnx:/a/labels.txt@{DIGEST}-{OTHER}"
    assert without_digest(name) == "onnx:/a/d.onnx:/a/labels.txt"
    assert same_model(name, f"onnx:/b/d.onnx@{DIGEST}-{OTHER}")
    assert not same_model(name, f"onnx:/a/d.onnx:/a/labels.txt@{DIGEST}-{DIGEST}")


def test_a_spec_of_visual_concepts_names_a_text_encoder_and_may_name_a_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert concept_parts("concepts:minilm") == ("minilm", "")
    assert concept_parts("concepts:minilm+onnx:/a+b/d.onnx:coco") == ("minilm", "onnx:/a+b/d.onnx:coco")
    named = f"minilm@{DIGEST}"
    assert concept_parts(f"concepts:{named}+stage@{OTHER}") == (named, f"stage@{OTHER}")
    assert concept_parts("concepts:owner/bert+owner/detr") == ("owner/bert", "owner/detr")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bert+tuned").mkdir()
    assert concept_parts("concepts:bert+tuned") == ("bert+tuned", "")
    assert concept_parts(f"concepts:bert+tuned@{DIGEST}+stage") == (f"bert+tuned@{DIGEST}", "stage")
