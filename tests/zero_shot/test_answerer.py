"""The zero-shot answerer on real files: looks once, answers, finds phrases, answers data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samples.zero_shot import Axes, Painted, painted_film, picture
from stage.errors import InputError
from stage.inference.answerer import Answerer, Setup
from stage.types import Box
from stage.zero_shot import answerer as module
from stage.zero_shot.answerer import ZeroShot, ZeroShotFilm
from stage.zero_shot.lexicon import Lexicon

GREY, RED, BLUE = (120, 120, 120), (255, 0, 0), (0, 0, 255)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A red rectangle for 6 s on dark grey, then a blue one on light grey, until 12 s."""
    dark, light = picture((60, 60, 60), RED), picture((200, 200, 200), BLUE)
    return painted_film(tmp_path / "film.mp4", (6, dark), (6, light))


def opened(film: Path, tmp_path: Path, detector: Painted | None = None) -> ZeroShotFilm:
    answerer = ZeroShot(detector or Painted(), lexicon=Lexicon(Axes()))
    found = answerer.open(film, cache=tmp_path / "cache")
    assert isinstance(found, ZeroShotFilm)
    return found


def test_a_question_is_answered_with_the_shot_its_boxes_and_who_answered(film: Path, tmp_path: Path) -> None:
    evidence = opened(film, tmp_path).ask("What is beside the man?", ["A horse.", "A person.", "A car."])
    start, end = evidence.prediction.span
    assert (start, end) == (pytest.approx(6, abs=0.4), pytest.approx(12, abs=0.1))
    boxes = [
        w.boxes[0].corners for m in evidence.moments if m.in_span for w in m.grounding if w.word == "man"
    ]
    assert boxes
    np.testing.assert_allclose(boxes[0], (40, 24, 80, 72), atol=3)
    assert evidence.answered_by is not None
    assert evidence.answered_by.name == "zero-shot"


def test_the_colour_of_what_is_seen_is_the_answer(film: Path, tmp_path: Path) -> None:
    answers = ["Green.", "Blue.", "Red."]
    assert opened(film, tmp_path).ask("What color is the car?", answers).answer == "Red ."


def test_a_film_is_looked_at_once(film: Path, tmp_path: Path) -> None:
    detector = Painted()
    first = opened(film, tmp_path, detector).ask("What color is the car?", ["Green.", "Red."])
    looked = detector.images
    assert looked == 6  # one frame in two seconds, of twelve
    second = opened(film, tmp_path, detector).ask("What color is the car?", ["Green.", "Red."])
    assert detector.images == looked
    assert second.prediction == first.prediction


def test_phrases_are_found_best_first(film: Path, tmp_path: Path) -> None:
    asked = opened(film, tmp_path)
    found = asked.find("the red car")
    best = found.moments[0]
    assert best.span == (0, pytest.approx(6, abs=0.4))
    assert {words.word for words in best.boxes} == {"car"}
    assert all(m.score >= n.score for m, n in zip(found.moments, found.moments[1:], strict=False))
    assert sum(m.probability for m in found.moments) < 1
    assert [shown.prediction.span for shown in found.evidence] == [m.span for m in found.moments]


def test_a_phrase_that_is_nowhere_is_not_found_and_said_to_be(film: Path, tmp_path: Path) -> None:
    found = opened(film, tmp_path).find("a zebra")
    assert found.moments == ()
    assert "nothing was recognised as 'zebra'" in found.notes


def test_what_was_not_recognised_and_what_is_only_guessed_is_said(film: Path, tmp_path: Path) -> None:
    """The detector has "person" alone: a hat is looked for at the top of one, and a zebra nowhere."""
    evidence = opened(film, tmp_path).ask(
        "Who rides the red zebra?", ["A man with a hat.", "A woman with a hat."]
    )
    assert "nothing was recognised as 'rides', 'zebra'" in evidence.notes
    assert [note for note in evidence.notes if note.startswith("'hat': the boxes are the parts of people")]


def test_what_is_only_said_is_found_where_it_is_said(film: Path, tmp_path: Path) -> None:
    subtitles = tmp_path / "film.srt"
    subtitles.write_text("1\n00:00:07,000 --> 00:00:09,000\nzebra\n")
    answerer = ZeroShot(Painted(), lexicon=Lexicon(Axes()))
    found = answerer.open(film, subtitles, cache=tmp_path / "cache")
    assert isinstance(found, ZeroShotFilm)
    (moment,) = found.find("a zebra").moments
    assert moment.span == (pytest.approx(6, abs=0.4), pytest.approx(12, abs=0.1))
    assert moment.boxes == ()


@pytest.mark.parametrize("phrase", ["", " ", 3])
def test_no_phrase_is_refused(film: Path, tmp_path: Path, phrase: object) -> None:
    with pytest.raises(InputError, match="the phrase"):
        opened(film, tmp_path).find(phrase)  # type: ignore[arg-type]


def test_a_film_of_one_frame_is_answered(tmp_path: Path) -> None:
    single = painted_film(tmp_path / "one.mp4", (1, picture(GREY, RED)))
    evidence = opened(single, tmp_path).ask("What is it?", ["A car.", "A person."])
    assert evidence.answer == "A car ."


def test_without_a_detector_shots_and_text_are_left_and_a_note_says_so(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stage.features.registry.default_detector", lambda: (None, "no network"))
    answerer = ZeroShot.from_setup(Setup())
    assert answerer.detector is None
    evidence = ZeroShot(notes=answerer.notes, lexicon=Lexicon(Axes())).open(film, cache=tmp_path).ask(
        "Who is it?", ["Mia.", "Leo."]
    )  # fmt: skip
    assert any("there is no detector (no network)" in note for note in evidence.notes)
    assert not any(moment.grounding for moment in evidence.moments)


def test_it_is_loaded_by_its_name_with_the_detector_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("stage.features.registry.kind_of_detector", lambda spec: "labels")
    monkeypatch.setattr("stage.features.registry.load_detector", lambda spec: asked.append(spec) or Painted())
    answerer = Answerer.from_pretrained("zero-shot", detector="onnx:some.onnx")
    assert isinstance(answerer, module.ZeroShot)
    assert (answerer.name, asked) == ("zero-shot", ["onnx:some.onnx"])


def test_a_detector_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"nowhere\.onnx"):
        Answerer.from_pretrained("zero-shot", detector="onnx:nowhere.onnx")


@pytest.mark.slow
def test_a_data_set_is_answered_from_the_labels_of_its_regions(sitcom_data: Path) -> None:
    answers = Answerer.from_pretrained("zero-shot", detector="stage").answers(sitcom_data)
    predictions = list(answers.predict())
    assert sorted(p.qid for p in predictions) == sorted(q.qid for q in answers.questions)
    assert all(sum(p.probabilities) == pytest.approx(1) for p in predictions)
    by_qid = {q.qid: q for q in answers.questions}
    assert all({w.frame for w in p.grounding} <= by_qid[p.qid].boxes.keys() for p in predictions)


def test_phrases_of_an_open_vocabulary_detector_are_boxes_and_looked_for_once(
    film: Path, tmp_path: Path
) -> None:
    class Finder:
        name = "finder"
        notes = ()
        asked: list[str] = []

        def find(self, images: list[np.ndarray], phrases: list[str]) -> list[list[tuple[Box, ...]]]:
            self.asked += phrases
            return [
                [(Box(1, 2, 30, 40, p, 0.5),) if p == "car" and i.mean() < 100 else () for p in phrases]
                for i in images
            ]

    finder = Finder()
    answerer = ZeroShot(phrases=finder, lexicon=Lexicon(Axes()))
    evidence = answerer.open(film, cache=tmp_path / "cache").ask("What is there?", ["A car.", "A horse."])
    assert evidence.answer == "A car ."
    assert evidence.prediction.span[0] == 0
    assert {w.word for m in evidence.moments for w in m.grounding} == {"car"}
    count = len(finder.asked)
    answerer.open(film, cache=tmp_path / "cache").ask("What is there?", ["A car.", "A horse."])
    assert len(finder.asked) == count


def test_the_picture_speaks_for_a_candidate_where_there_is_an_encoder(film: Path, tmp_path: Path) -> None:
    class Bright:
        """Texts with "light" are near light frames, others near dark ones."""

        name, dim, logit_scale, logit_bias, notes = "bright", 2, 1.0, None, ()

        def images(self, images: list[np.ndarray]) -> np.ndarray:
            return np.float32([(1, 0) if image.mean() > 130 else (0, 1) for image in images])

        def texts(self, texts: list[str]) -> np.ndarray:
            return np.float32([(1, 0) if "light" in text else (0, 1) for text in texts])

    answerer = ZeroShot(encoder=Bright(), lexicon=Lexicon(Axes()))
    opened = answerer.open(film, cache=tmp_path / "cache")
    assert isinstance(opened, ZeroShotFilm)
    (best,) = opened.find("a light").moments
    assert best.span[0] == pytest.approx(6, abs=0.4)
