"""Regions described by the words of their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samples.features import Letters
from stage.features.regions.visual_concepts import ConceptDetector, LabelFeatures
from stage.features.registry import load_detector
from stage.media.frame_folder import open_frames
from stage.sitcom.drawing.scene import draw
from stage.sitcom.screenplay import episode_seed, write_screenplay


def test_frames_without_regions_and_labels_without_words_have_vectors(frame_folders: Path) -> None:
    encoder = Letters()
    concepts = LabelFeatures(lambda label: encoder.encode([label])[0], encoder.dim)
    assert concepts.features(()).shape == (0, 26)
    assert concepts.features(("cab", " ")).sum(1).tolist() == [3, 0]
    asked = load_detector("concepts:minilm")
    assert asked.name.startswith("concepts:minilm@")
    found = asked.detect([draw(write_screenplay(episode_seed("test", 7, 0)).setting_at(3)).image])[0]
    assert found.features.shape == (len(found), asked.dim)


def test_visual_concepts_are_the_words_of_labels_whatever_the_detector(frame_folders: Path) -> None:
    detector = ConceptDetector(load_detector("stage"), Letters())
    picture = next(open_frames(frame_folders / "clip0").frames([1]))[1]
    regions = detector.detect([picture])[0]
    assert regions.features.shape == (len(regions), 26)
    person = regions.labels.index("person")
    assert np.array_equal(regions.features[person], Letters().encode(["person"])[0][0])
    assert detector.name == "concepts:letters@1"
