"""Finding the files of a folder of released features, TVQA+'s or TVQA's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stage.errors import InputError

SPLIT_FILES = (
    "tvqa_plus_{}_preprocessed.json",
    "tvqa_plus_{}.json",
    "tvqa_{}_preprocessed.json",
    "tvqa_{}.jsonl",
)
SPLITS = ("train", "valid", "val", "test", "test_public")


@dataclass(frozen=True, slots=True)
class ReleaseFiles:
    """The paths of the released files. Found by pattern: names differ between TVQA+ and TVQA, BERT and GloVe."""

    regions: Path
    """.h5: clip -> (regions of all frames, D)"""
    detections: Path
    """.json: clip -> boxes, counts, object"""
    question_words: Path
    """.h5: QID_q, QID_a0, ... -> (words, D)"""
    subtitle_words: Path
    """.h5: clip -> (words of all sentences, D)"""
    subtitles: Path
    """.json: clip -> sub_text, sub_time"""
    frames: Path
    """.json: clip -> frame count"""

    @classmethod
    def find(cls, root: Path) -> ReleaseFiles:
        """Raises InputError naming the first pattern that no file matches, or several."""
        return cls(
            regions=_single(root, "*pool5*.h5"),
            detections=_single(root, "*frcn*.json"),
            question_words=_single(root, "*qa_s_tokenized*.h5"),
            subtitle_words=_single(root, "*sub_s_tokenized*.h5"),
            subtitles=_single(root, "*subtitles*.json"),
            frames=_single(root, "frm_cnt_cache.json"),
        )


def _single(root: Path, pattern: str) -> Path:
    """The only file that matches. Raises InputError if there are none or several."""
    matching = sorted(root.glob(pattern))
    if len(matching) != 1:
        names = ", ".join(path.name for path in matching) or "none"
        pickles = [path.name for path in sorted(root.glob("*.p*kl*"))]
        advice = f"; {pickles[0]} was not read, since unpickling it could run code" if pickles else ""
        raise InputError(f"{root}: needs exactly one file {pattern}, but has {names}{advice}")
    return matching[0]


def splits(root: Path) -> list[str]:
    """The splits whose questions a folder contains."""
    return [split for split in SPLITS if has_split(root, split)]


def has_split(root: Path, split: str) -> bool:
    """Whether a folder contains the questions of a split."""
    return any((root / name.format(split)).is_file() for name in SPLIT_FILES)


def is_questions_file(path: Path) -> bool:
    """Whether a file is named as the questions of a split."""
    return path.name in {name.format(split) for name in SPLIT_FILES for split in SPLITS}


def questions_file(root: Path, split: str) -> Path:
    """The file with the questions of a split. Raises InputError if there is none."""
    candidates = [root / name.format(split) for name in SPLIT_FILES]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise InputError(f"{root}: has no questions of split {split!r}, such as {candidates[0].name}")
    return path
