"""Released features read as packing reads them, with all that can't be: what passes here can be packed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stage.annotation.issues import Issues
from stage.errors import InputError
from stage.features.store.feature_store import question_keys
from stage.release.features import ReleasedFeatures
from stage.release.packing import check_packable, frames_to_keep
from stage.types import Progress, Question


def check_features(
    source: ReleasedFeatures, questions: Sequence[Question], issues: Issues, progress: Progress
) -> None:
    """Report each clip and question whose features can't be read or packed, and clips whose numbers of rows differ.

    questions: those that have features, as `with_features` returns them. Reads all features of them.
    """
    try:
        _ = source.attributes  # on which all others depend
    except InputError as error:
        issues.add("files of features that can't be read", str(error), error=True)
        return
    frames = frames_to_keep(questions, source.clips)
    for done, (name, kept) in enumerate(frames.items()):
        progress(done, len(frames), name)
        clip = source.clips[name]
        with _reported("clips whose regions can't be read", issues):
            source.check_region_rows(clip, issues)
            for frame, regions in source.regions(clip, sorted(kept)).items():
                check_packable(regions.features, f"{name}, frame {frame}")
        with _reported("clips whose subtitle rows can't be read", issues):
            for rows in source.sentences(clip):
                check_packable(rows, name)
    for question in questions:
        with _reported("questions whose word vectors can't be read", issues):
            for key in question_keys(question):
                check_packable(source.words(key), key)


@contextmanager
def _reported(kind: str, issues: Issues) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        issues.add(kind, str(error), "get the file again", error=True)
