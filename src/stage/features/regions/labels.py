"""Labels of a detector's classes: read from metadata, files and folders, each with where it was found.

Classes are numbered from 0. A class without a name, such as "N/A", is no object: what is found of it is left out.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage.errors import InputError
from stage.io import parse_json, read_limited
from stage.wording import quoted

LARGEST_TEXT, MOST_CLASSES, LONGEST_LABEL = 1 << 20, 100_000, 200
"""Bytes of a text of labels, the largest number of a class, and characters of a label."""
NO_OBJECT = frozenset(("", "n/a", "???", "none", "no object", "background", "__background__"))
NUMBERED = re.compile(r"(\d{1,6})(?:\s*[:;,=\t]\s*|\s+)(\S.*)")
METADATA_KEYS = ("names", "labels", "classes", "class_names", "id2label")
"""Keys under which exporters store labels, as JSON or as Python writes a dict or list (Ultralytics)."""
RF_DETR = "rfdetr_inference"
"""The key of RF-DETR's own description of its export; its `class_id_to_name` has the labels."""
CONFIG = "config.json"

COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""The 80 kinds of COCO, in the order of their ids."""
UNUSED_IDS = frozenset((12, 26, 29, 30, 45, 66, 68, 69, 71, 83))
"""Of COCO's ids 1 to 90, those that no kind has."""
COCO_IDS = tuple(number for number in range(1, 91) if number not in UNUSED_IDS)
"""COCO's id of each of its kinds."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a detector's classes."""

    names: Mapping[int, str]
    """Class -> its label; classes without a name are missing."""
    count: int
    """The number of classes that are named or skipped: one more than the largest."""
    origin: str
    """Where they were found, for messages."""

    def by_coco_ids(self) -> Labels:
        """80 labels in COCO's order, by the ids 0 to 90 instead."""
        names = {COCO_IDS[number]: name for number, name in self.names.items()}
        return Labels(names, COCO_IDS[-1] + 1, self.origin)


PACKAGED = {
    "coco": Labels(dict(enumerate(COCO)), len(COCO), "coco"),
    "coco91": Labels(dict(enumerate(COCO)), len(COCO), "coco91").by_coco_ids(),
}
"""Labels that need no file, by name: COCO's in their order, and by their ids from 1 to 90."""


def find_labels(model: Path, metadata: Mapping[str, str], named: str | None) -> Labels:
    """The labels of the ONNX file `model`, from the first of these places that has any.

    The file or packaged list that is named; the metadata; FILE.txt and FILE_labels.txt beside FILE.onnx; the
    id2label of config.json in its folder or, for a folder called "onnx", in that above; the only *labels.txt in its
    folder. Raises InputError if there are none, several, or what is there can't be read.
    """
    if named is not None:
        if named in PACKAGED and not Path(named).exists():
            return PACKAGED[named]
        return read_labels(Path(named))
    if found := _of_metadata(metadata, model):
        return found
    for path in (model.with_suffix(".txt"), model.with_name(f"{model.stem}_labels.txt")):
        if path.is_file():
            return read_labels(path)
    if found := _of_config(model):
        return found
    files = sorted(path for path in model.parent.glob("*labels.txt") if path.is_file())
    if len(files) == 1:
        return read_labels(files[0])
    if files:
        raise InputError(
            f"{model}: {files[0].name} and {files[1].name} may both be its labels; name them, as onnx:{model}:"
            f"{files[0]}"
        )
    raise InputError(
        f"{model}: has no labels of its classes; write them into {model.stem}_labels.txt beside it, one on each "
        f"line, or name them: onnx:{model}:LABELS (a file, or coco for the 80 kinds of COCO)"
    )


def read_labels(path: Path) -> Labels:
    """Labels in a file: one on each line, in the order of the classes or numbered ("0: person"), or JSON.

    Blank lines are allowed between numbered lines, and at the end. Raises InputError naming the line that can't be
    used.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of labels; check the path")
    if path.stat().st_size > LARGEST_TEXT:
        raise InputError(f"{path}: is larger than {LARGEST_TEXT:,} bytes; is it a file of labels?")
    try:
        text = read_limited(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text in UTF-8; is it a file of labels?") from None
    if path.suffix.lower() == ".json":
        return _labels(parse_json(text, str(path)), str(path))
    return _labels(_of_lines(text, str(path)), str(path))


def _of_lines(text: str, where: str) -> list[str] | dict[int, str]:
    lines = text.rstrip().splitlines()
    written = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    matches = [(number, NUMBERED.fullmatch(line)) for number, line in written]
    if written and all(match for _, match in matches):
        numbered: dict[int, str] = {}
        for number, match in matches:
            assert match is not None
            if int(match[1]) in numbered:
                raise InputError(f"{where}: line {number} names class {int(match[1])} again; remove one")
            numbered[int(match[1])] = match[2]
        return numbered
    if blank := [number for number, line in enumerate(lines, 1) if not line.strip()]:
        raise InputError(
            f"{where}: line {blank[0]} is blank, and whether a class is missing there can't be known; remove it, or "
            "write N/A for a class that is never used"
        )
    return [line for _, line in written]


def _of_metadata(metadata: Mapping[str, str], model: Path) -> Labels | None:
    """The labels in an ONNX file's metadata; None if it has none. Raises InputError if they can't be read."""
    if RF_DETR in metadata:
        where = f"{model}, metadata {RF_DETR}"
        described = _parsed(metadata[RF_DETR], where)
        named = described.get("class_id_to_name") if isinstance(described, dict) else None
        if named:
            return _labels(named, where)
    for key in METADATA_KEYS:
        if text := metadata.get(key, "").strip():
            where = f"{model}, metadata {key}"
            return _labels(_parsed(text, where), where)
    return None


def _parsed(text: str, where: str) -> Any:
    """The value that JSON, a Python literal, lines, or words between commas give."""
    if len(text) > LARGEST_TEXT:
        raise InputError(f"{where}: has more than {LARGEST_TEXT:,} characters; name the labels in a file")
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    if text[0] in "[{(":
        raise InputError(f"{where}: can't be read as a list or dict of labels; name the labels in a file")
    return _of_lines(text if "\n" in text else "\n".join(text.split(",")), where)


def _of_config(model: Path) -> Labels | None:
    """The labels in a model folder's config.json, which transformers writes; None if there are none."""
    folders = [
        model.parent,
        *([model.resolve().parent.parent] if model.resolve().parent.name == "onnx" else []),
    ]
    for path in (folder / CONFIG for folder in folders):
        if path.is_file() and path.stat().st_size <= LARGEST_TEXT:
            config = parse_json(bytes(read_limited(path)), str(path))
            if isinstance(config, dict) and (named := config.get("id2label")):
                return _labels(named, f"{path}, id2label")
    return None


def _labels(value: object, where: str) -> Labels:
    """Labels from a list, or an object by class. Raises InputError if it is neither, or has values of other types."""
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not value:
        raise InputError(
            f"{where}: is no list of labels, nor an object of them by class; name them in a file"
        )
    names: dict[int, str] = {}
    largest = -1
    for key, label in value.items():
        text = str(key)
        if not (text.isdecimal() and text.isascii()) or len(text) > 6 or int(text) >= MOST_CLASSES:
            raise InputError(f"{where}: {quoted(key)} is no number of a class; name the labels in a file")
        if not isinstance(label, str) or len(label) > LONGEST_LABEL:
            raise InputError(
                f"{where}: the label of class {key} is {quoted(label)}; write a text of at most {LONGEST_LABEL} "
                "characters"
            )
        largest = max(largest, int(text))
        plain = "".join(c for c in " ".join(label.split()) if c.isprintable())
        if plain.lower() not in NO_OBJECT:
            names[int(text)] = plain
    if not names:
        raise InputError(f"{where}: names no class; write one label on each line")
    return Labels(names, largest + 1, where)
