"""The files of the authors' released folder, and of TVQA's in the same manner."""

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
    """Where everything lies; patterns, because TVQA+ and TVQA, BERT and GloVe have their own names."""

    regions: Path
    """.h5: clip -> (regions of all frames, D)"""
    detections: Path
    """.json: clip -> boxes, counts, object"""
    question_words: Path
    """.h5: QID_q, QID_a0, ... -> (words, D)"""
    subtitle_words: Path
    """.h5: clip -> (words of all sentences, D)"""
    subtitles: Path
    frames: Path

    @classmethod
    def find(cls, root: Path) -> ReleaseFiles:
        """Raises InputError naming the pattern that has no file, or several."""
        return cls(
            regions=_only(root, "*pool5*.h5"),
            detections=_only(root, "*frcn*.json"),
            question_words=_only(root, "*qa_s_tokenized*.h5"),
            subtitle_words=_only(root, "*sub_s_tokenized*.h5"),
            subtitles=_only(root, "*subtitles*.json"),
            frames=_only(root, "frm_cnt_cache.json"),
        )


def _only(root: Path, pattern: str) -> Path:
    found = sorted(root.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        pickles = [path.name for path in sorted(root.glob("*.p*kl*"))]
        advice = f"; {pickles[0]} was not read, since unpickling it could run code" if pickles else ""
        raise InputError(f"{root}: needs one file {pattern}, but has {names}{advice}")
    return found[0]


def splits(root: Path) -> list[str]:
    """The splits that a folder has questions of."""
    return [split for split in SPLITS if is_here(root, split)]


def is_here(root: Path, split: str) -> bool:
    return any((root / name.format(split)).is_file() for name in SPLIT_FILES)


def questions_file(root: Path, split: str) -> Path:
    """Raises InputError if there is none."""
    files = [root / name.format(split) for name in SPLIT_FILES]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise InputError(f"{root}: has no questions of split {split!r}, such as {files[0].name}")
    return found
