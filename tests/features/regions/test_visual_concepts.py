"""Regions described by the words of their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samples.detector import Shades
from samples.features import Letters
from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.features.regions.visual_concepts import ConceptDetector, LabelFeatures
from stage.features.registry import cache_name, detector_notes, load_detector
from stage.features.store.film_cache import RegionCache
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


def test_the_detector_of_visual_concepts_can_be_chosen() -> None:
    chosen = load_detector("concepts:glove", Shades())
    assert isinstance(chosen, ConceptDetector)
    assert chosen.name == load_detector("concepts:glove").name
    regions = chosen.detect([np.zeros((9, 9, 3), np.uint8)])[0]
    assert regions.labels == ("it",)
    assert regions.features.shape == (1, 50)
    again = load_detector("concepts:glove", chosen)  # of visual concepts already
    assert isinstance(again, ConceptDetector)
    assert again.detector is chosen.detector
    spec = load_detector("concepts:glove+stage")
    assert cache_name(spec) == cache_name(load_detector("concepts:glove")) != cache_name(chosen)


def test_a_detector_takes_no_other_s_place_where_its_vectors_are_read() -> None:
    with pytest.raises(InputError, match=r"shades@1: can't take the place of the detector stage"):
        load_detector("stage", Shades())
    assert load_detector("stage", "stage").name.startswith("stage@")


def test_a_cache_never_mixes_the_concepts_of_two_detectors(tmp_path: Path) -> None:
    image = np.zeros((36, 64, 3), np.uint8)
    first, second = load_detector("concepts:glove"), load_detector("concepts:glove", Shades())
    for detector in (first, second):
        attributes = FeatureAttributes(regions=cache_name(detector), region_dim=detector.dim)
        cache = RegionCache(tmp_path, attributes, "film")
        assert cache.read() == {}
        cache.keep({1: detector.detect([image])[0]})
        assert cache.read().keys() == {1}


def test_the_notes_of_the_detector_are_those_of_its_concepts() -> None:
    class Noting(Shades):
        notes = ("a box was left out",)

    assert detector_notes(load_detector("concepts:glove", Noting())) == ("a box was left out",)
    assert detector_notes(load_detector("concepts:glove", Shades())) == ()
