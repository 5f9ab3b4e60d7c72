"""Open-vocabulary detectors: phrases to boxes, held against numbers worked out by hand."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from samples.image_text_models import SIDE, clip_tokenizer, write_clip, write_grounding_dino, write_owl
from samples.refusals import refused
from stage.features.image_processor import prepare
from stage.features.regions.open_vocabulary import MOST_BOXES, OpenVocabularyDetector
from stage.features.registry import load_phrase_detector
from stage.types import Box, Image

WRITE: dict[str, Callable[[Path], Path]] = {
    "OWLv2": write_owl,
    "OWL-ViT": lambda folder: write_owl(folder, padded=False),
    "Grounding DINO": write_grounding_dino,
    "MM-Grounding DINO": lambda folder: write_grounding_dino(folder, mm=True),
}
WIDE, HIGH = np.full((100, 200, 3), 255, np.uint8), np.full((200, 100, 3), 255, np.uint8)
NOISE = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)
STARTUP = """
import sys
import numpy as np
from stage.features.registry import load_phrase_detector
for folder in sys.argv[1:]:
    load_phrase_detector(folder).find([np.zeros((90, 160, 3), np.uint8)], ["a cat", "a cat " * 300])
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each family."""
    root = tmp_path_factory.mktemp("models")
    return {name: write(root / name.replace(" ", "-")) for name, write in WRITE.items()}


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def predicting(
    folder: Path, boxes: Sequence[Sequence[float]], logits: Sequence[Sequence[float]]
) -> OpenVocabularyDetector:
    """A detector whose model predicts these boxes (centre, size), each with a logit for each phrase or wordpiece."""
    detector = OpenVocabularyDetector.load(str(folder))
    output = SimpleNamespace(logits=torch.tensor([logits]), pred_boxes=torch.tensor([boxes]))
    detector.model.forward = lambda **inputs: output
    return detector


def found(detector: OpenVocabularyDetector, image: Image, phrases: Sequence[str]) -> list[list[Box]]:
    return [list(boxes) for boxes in detector.find([image], phrases)[0]]


def sides(boxes: Sequence[Box]) -> list[tuple[float, ...]]:
    return [tuple(round(side, 3) for side in box.corners) for box in boxes]


@pytest.mark.parametrize("family", WRITE)
def test_every_family_finds_boxes_within_the_image_best_first(family: str, folders: dict[str, Path]) -> None:
    detector = load_phrase_detector(str(folders[family]))
    detector.family.threshold = 0.0  # type: ignore[attr-defined]
    images = [NOISE, np.ascontiguousarray(NOISE.transpose(1, 0, 2))]
    results = detector.find(images, ["the cat", "man with the party hat"])
    assert [len(of_image) for of_image in results] == [2, 2]
    for image, of_image in zip(images, results, strict=True):
        height, width = image.shape[:2]
        for phrase, boxes in zip(("the cat", "man with the party hat"), of_image, strict=True):
            assert len(boxes) <= MOST_BOXES
            assert {box.label for box in boxes} <= {phrase}
            assert [box.score for box in boxes] == sorted((box.score for box in boxes), reverse=True)
            assert all(0 <= box.left < box.right <= width for box in boxes)
            assert all(0 <= box.top < box.bottom <= height for box in boxes)
    assert any(boxes for of_image in results for boxes in of_image) or family == "OWL-ViT"
    assert load_phrase_detector(detector.name).name == detector.name


@pytest.mark.parametrize("family", WRITE)
def test_what_is_found_for_a_phrase_does_not_depend_on_the_other_phrases(
    family: str, folders: dict[str, Path]
) -> None:
    detector = OpenVocabularyDetector.load(str(folders[family]))
    detector.family.threshold = 0.0
    alone = found(detector, NOISE, ["cat"])[0]
    _, among, _ = found(detector, NOISE, ["man with party hat", "cat", "left dog"])
    assert sides(alone) == sides(among)
    assert [box.score for box in alone] == pytest.approx([box.score for box in among], abs=1e-6)


def test_in_one_prompt_the_phrases_of_grounding_dino_would_change_each_other_s_scores(
    folders: dict[str, Path],
) -> None:
    """The reason why each phrase is a prompt of its own."""
    detector = OpenVocabularyDetector.load(str(folders["Grounding DINO"]))
    image = {k: v for k, v in prepare(detector.processor, NOISE, "").items() if k.startswith("pixel_")}

    def logits_of_cat(prompt: str) -> torch.Tensor:
        ids = detector.family.tokenizer(prompt, return_tensors="pt")["input_ids"]  # type: ignore[attr-defined]
        with torch.inference_mode():
            return detector.model(**image, input_ids=ids).logits[0, :, 1]

    alone, together = logits_of_cat("cat ."), logits_of_cat("cat . man with party hat .")
    assert not torch.allclose(alone, together, atol=1e-3)


@pytest.mark.parametrize(
    ("family", "image", "expected"),
    [
        ("OWLv2", WIDE, [(50, 25, 150, 75)]),  # of a square of 200 pixels
        ("OWLv2", HIGH, [(50, 25, 100, 75)]),  # cut where the image ends
        ("OWL-ViT", WIDE, [(50, 12.5, 150, 37.5)]),
        ("OWL-ViT", HIGH, [(25, 25, 75, 75)]),
    ],
)
def test_boxes_are_shares_of_the_padded_square_of_owlv2_and_of_the_image_of_owl_vit(
    family: str, image: Image, expected: list[tuple[float, ...]], folders: dict[str, Path]
) -> None:
    detector = predicting(folders[family], [[0.5, 0.25, 0.5, 0.25]], [[logit(0.75)]])
    [boxes] = found(detector, image, ["cat"])
    assert sides(boxes) == expected
    assert boxes[0].score == pytest.approx(0.75)
    assert boxes[0].label == "cat"


def test_what_owlv2_sees_in_its_padding_is_not_found(folders: dict[str, Path]) -> None:
    padding, image = [0.5, 0.75, 0.5, 0.25], [0.25, 0.25, 0.5, 0.5]
    detector = predicting(folders["OWLv2"], [padding, image], [[logit(0.9)], [logit(0.6)]])
    [boxes] = found(detector, WIDE, ["cat"])
    assert sides(boxes) == [(0, 0, 100, 100)]


def test_images_are_padded_at_the_right_or_bottom_before_they_are_resized(folders: dict[str, Path]) -> None:
    processor = OpenVocabularyDetector.load(str(folders["OWLv2"])).processor
    wide = prepare(processor, WIDE, "")["pixel_values"][0].mean(0)
    high = prepare(processor, HIGH, "")["pixel_values"][0].mean(0)
    assert wide.shape == high.shape == (SIDE, SIDE)
    white, black, margin = (
        float(wide[0, 0]),
        float(wide[-1, -1]),
        3,
    )  # pixels that resizing blends at the border
    assert white > 1.5
    assert black < -1.5
    half = SIDE // 2
    assert torch.allclose(wide[: half - margin], torch.tensor(white), atol=1e-4)
    assert torch.allclose(wide[half + margin :], torch.tensor(black), atol=1e-4)
    assert torch.allclose(high[:, : half - margin], torch.tensor(white), atol=1e-4)
    assert torch.allclose(high[:, half + margin :], torch.tensor(black), atol=1e-4)


def test_a_box_that_fits_another_phrase_better_is_still_found_for_this_one(folders: dict[str, Path]) -> None:
    detector = predicting(folders["OWLv2"], [[0.25, 0.25, 0.5, 0.5]], [[logit(0.3), logit(0.8)]])
    cat, dog = found(detector, WIDE, ["cat", "dog"])
    assert [box.score for box in (*cat, *dog)] == pytest.approx([0.3, 0.8])


@pytest.mark.parametrize("family", ["OWLv2", "OWL-ViT"])
def test_one_phrase_is_found_as_by_the_grounded_post_processing_of_transformers(
    family: str, folders: dict[str, Path]
) -> None:
    rng = np.random.default_rng(3)
    centres = rng.uniform(0.1, 0.4, (9, 2))
    boxes = np.concatenate([centres, rng.uniform(0.01, 0.03, (9, 2))], 1).astype(np.float32)
    logits = rng.normal(-1.5, 1, (9, 1)).astype(np.float32)
    detector = predicting(folders[family], boxes.tolist(), logits.tolist())
    kind = transformers.Owlv2Processor if family == "OWLv2" else transformers.OwlViTProcessor
    [theirs] = kind(detector.processor, detector.family.tokenizer).post_process_grounded_object_detection(  # type: ignore[attr-defined]
        detector.model(), threshold=0.1, target_sizes=[(100, 200)]
    )
    order = theirs["scores"].argsort(descending=True)
    [ours] = found(detector, WIDE, ["cat"])
    assert 2 < len(ours) < 9
    np.testing.assert_allclose([box.corners for box in ours], theirs["boxes"][order].numpy(), atol=1e-3)
    assert [box.score for box in ours] == pytest.approx(theirs["scores"][order].tolist())


@pytest.mark.parametrize("family", ["Grounding DINO", "MM-Grounding DINO"])
def test_the_score_of_grounding_dino_is_that_of_the_best_wordpiece_of_the_phrase(
    family: str, folders: dict[str, Path]
) -> None:
    """The prompt is [CLS] the cat . [SEP]; the special tokens and the full stop have no say."""
    special, nothing = logit(0.99), -math.inf
    logits = [
        [special, logit(0.2), logit(0.75), special, special, nothing],
        [special, logit(0.3), logit(0.1), special, special, nothing],
        [special, logit(0.24), logit(0.2), special, special, nothing],  # below the threshold
    ]
    boxes = [[0.5, 0.25, 0.5, 0.25], [0.25, 0.75, 0.5, 0.5], [0.75, 0.75, 0.5, 0.5]]
    [cat] = found(predicting(folders[family], boxes, logits), WIDE, ["The cat"])
    assert sides(cat) == [(50, 12.5, 150, 37.5), (0, 50, 100, 100)]
    assert [box.score for box in cat] == pytest.approx([0.75, 0.3])


def test_a_phrase_is_a_prompt_in_lower_case_that_ends_with_a_full_stop(folders: dict[str, Path]) -> None:
    detector = OpenVocabularyDetector.load(str(folders["Grounding DINO"]))
    tokenizer = detector.family.tokenizer  # type: ignore[attr-defined]
    query = detector.family.query("The CAT. and dog?")
    tokens = tokenizer.convert_ids_to_tokens(query.pieces)
    assert tokens == ["[CLS]", "the", "cat", "[UNK]", "dog", ".", "[SEP]"]


def test_owl_reads_a_phrase_in_the_prompt_of_its_training_if_there_is_room(folders: dict[str, Path]) -> None:
    detector = OpenVocabularyDetector.load(str(folders["OWLv2"]))
    tokenizer = detector.family.tokenizer  # type: ignore[attr-defined]

    def words(phrase: str) -> list[str]:
        pieces = tokenizer.convert_ids_to_tokens(detector.family.query(phrase).pieces)
        assert len(pieces) <= 16
        return [piece.removesuffix("</w>") for piece in pieces[1:-1]]

    assert words("the cat") == ["a", "photo", "of", "a", "cat"]
    assert words("A man with the party hat") == [
        "a",
        "photo",
        "of",
        "a",
        "man",
        "with",
        "the",
        "party",
        "hat",
    ]
    twelve = "cat dog " * 6
    assert words(twelve) == twelve.split()
    assert not detector.family.query(twelve).cut
    assert words("cat dog " * 9) == [
        "cat",
        "dog",
        "cat",
        "dog",
        "cat",
        "dog",
        "cat",
        "dog",
        "cat",
        "dog",
        "cat",
        "dog",
        "cat",
        "dog",
    ]


@pytest.mark.parametrize(("family", "words"), [("OWLv2", 30), ("Grounding DINO", 300)])
def test_a_phrase_that_is_too_long_or_has_no_words_is_noted(
    family: str, words: int, folders: dict[str, Path]
) -> None:
    detector = OpenVocabularyDetector.load(str(folders[family]))
    assert detector.notes == ()
    _, nothing, _ = found(detector, NOISE, ["cat " * words, "...", "dog"])
    assert nothing == []
    long, empty = detector.notes
    assert long.startswith("'cat cat")
    assert "too long" in long
    assert len(long) < 200
    assert empty == "'...' has no word that the detector could look for"
    longest = 16 if family == "OWLv2" else 256
    assert len(detector.family.query("cat " * words).pieces) == longest


def test_of_overlapping_boxes_of_a_phrase_the_best_is_kept(folders: dict[str, Path]) -> None:
    """Boxes 100 pixels wide, moved by 20 and 60: their IoU with the first is 80 / 120 and 40 / 160."""
    boxes = [[0.25 + 0.1 * i, 0.25, 0.5, 0.5] for i in (0, 1, 3)]
    detector = predicting(
        folders["OWLv2"], boxes, [[logit(0.6), logit(0.5)], [logit(0.7), 0.0], [logit(0.5), logit(0.01)]]
    )
    first, second = found(detector, WIDE, ["cat", "dog"])
    assert sides(first) == [(20, 0, 120, 100), (60, 0, 160, 100)]  # IoU of these: 60 / 140
    assert len(second) == 1


def test_at_most_ten_boxes_of_a_phrase_are_kept(folders: dict[str, Path]) -> None:
    boxes = [[0.04 * i, 0.25, 0.02, 0.1] for i in range(1, 21)]
    detector = predicting(folders["OWLv2"], boxes, [[logit(0.2 + 0.01 * i)] for i in range(20)])
    [cats] = found(detector, WIDE, ["cat"])
    assert [box.score for box in cats] == pytest.approx([0.39 - 0.01 * i for i in range(10)])


@pytest.mark.parametrize("family", ["OWLv2", "Grounding DINO"])
def test_outputs_that_are_not_finite_are_refused(family: str, folders: dict[str, Path]) -> None:
    detector = predicting(folders[family], [[0.5, 0.5, math.nan, 0.5]], [[0.0] * 8])
    assert "not finite" in str(refused(lambda: detector.find([WIDE], ["cat"])))


def without(name: str) -> Callable[[Path], object]:
    return lambda folder: [path.unlink() for path in folder.glob(name)]


def changed_weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file(change(load_file(path)), path, metadata={"format": "pt"})

    return apply


def other_numbers(folder: Path) -> None:
    """The full stop of the tokenizer gets another number."""
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["."], vocabulary["[unused999]"] = vocabulary["[unused999]"], vocabulary["."]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("family", ["OWLv2", "MM-Grounding DINO"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("tokenizer*.json"), "has no tokenizer"),
        (without("preprocessor_config.json"), "has no preprocessor_config.json"),
        (without("model.safetensors"), r"contains no \*\.safetensors weights"),
        (without("config.json"), "config.json describes no model that could be loaded"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(
                (folder / "model.safetensors").read_bytes()[:5000]
            ),
            "not whole|could be loaded",
        ),
        (changed_weights(lambda w: dict(list(w.items())[9:])), "the weights are not those of"),
        (
            changed_weights(lambda w: {k: v * math.nan if v.ndim > 1 else v for k, v in w.items()}),
            "are not finite",
        ),
    ],
)
def test_an_incomplete_model_is_refused_in_one_line(
    family: str, damage: Callable[[Path], object], message: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders[family], tmp_path / "model"))
    damage(folder)
    with pytest.raises(Exception, match=message) as raised:
        OpenVocabularyDetector.load(str(folder))
    assert type(raised.value).__name__ == "InputError"
    assert "\n" not in str(raised.value)
    assert str(folder) in str(raised.value)


def test_a_tokenizer_that_does_not_belong_to_the_model_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders["Grounding DINO"], tmp_path / "dino"))
    other_numbers(folder)
    assert "numbers [CLS], [SEP] and the full stop otherwise" in str(
        refused(lambda: OpenVocabularyDetector.load(str(folder)))
    )
    folder = Path(shutil.copytree(folders["OWLv2"], tmp_path / "owl"))
    tokenizer = clip_tokenizer(16)
    tokenizer.add_tokens(["dragon"])
    tokenizer.save_pretrained(folder)
    message = str(refused(lambda: OpenVocabularyDetector.load(str(folder)).find([WIDE], ["dragon"])))
    assert "can't split 'dragon'" in message
    assert "embeddings" in message


def test_a_model_that_does_not_look_for_phrases_is_refused(tmp_path: Path) -> None:
    config = transformers.YolosConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=[32, 48],
        patch_size=16, num_detection_tokens=5, num_labels=3,
    )  # fmt: skip
    transformers.YolosForObjectDetection(config).save_pretrained(tmp_path / "yolos")
    for folder in (tmp_path / "yolos", write_clip(tmp_path / "clip")):
        message = str(refused(partial(OpenVocabularyDetector.load, str(folder))))
        assert "OWLv2, OWL-ViT, Grounding DINO and MM-Grounding DINO can be used" in message


@pytest.mark.parametrize("spec", ["/nowhere/owl", "./nowhere", "no-such-name", "a/b/c"])
def test_a_detector_that_is_nowhere_is_refused_without_the_network(spec: str) -> None:
    message = str(refused(lambda: OpenVocabularyDetector.load(spec)))
    assert message.startswith(f"{spec}: no such open-vocabulary detector")


def test_without_the_hub_a_model_of_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stage.features.pretrained.out_of_reach", lambda name: "no network")
    message = str(refused(lambda: OpenVocabularyDetector.load("nobody/owl")))
    assert message.startswith("nobody/owl: is not on this machine, and can't be downloaded (no network)")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_loading_and_looking_print_nothing(folders: dict[str, Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTUP, *folders.values()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
