"""A real film with a real detector: what is plain to see is found where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from samples.places import SHARED
from stage.inference.answerer import Answerer
from stage.zero_shot.answerer import ZeroShotFilm


@pytest.mark.slow
def test_a_boat_is_found_in_the_shot_that_shows_it(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    film, detector = SHARED / "real" / "real_1.mp4", SHARED / "real" / "coco_centernet.onnx"
    if not (film.exists() and detector.exists()):
        pytest.skip("the real films are not next to this checkout")
    opened = Answerer.from_pretrained("zero-shot", detector=f"onnx:{detector}").open(film, cache=tmp_path)
    assert isinstance(opened, ZeroShotFilm)
    assert len(opened.view.cuts or ()) == 4
    best = opened.find("a boat").moments[0]
    assert best.span == (pytest.approx(26, abs=0.5), pytest.approx(31.5, abs=0.5))
    evidence = opened.ask("What is moving on the water?", ["A car.", "A horse.", "A boat."])
    assert evidence.answer == "A boat ."
    assert evidence.prediction.span == best.span
