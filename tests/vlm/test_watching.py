"""A model is asked about a film: what it is shown, and what its replies become."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from films import HEIGHT, WIDTH, number_of
from samples.chat import Asked, ScriptedModel, seconds_of, text_of
from samples.replies import REPLIES
from stage.errors import InputError
from stage.inference.answerer import Setup
from stage.inference.evidence_json import to_json
from stage.types import Evidence
from stage.vlm.answerer import VlmAnswerer, VlmFilm
from stage.vlm.chat import Choice, Frame, Habits, Limits, Reply

QUESTION, ANSWERS = "What is on the table ?", ["a hat", "a mug", "a cat", "a dog"]
WINDOW, OPTIONS, SPAN, BOXES, WRITING = (
    "this part of the film",
    "Which option",
    "When does",
    "Locate",
    "few words",
)
"""What the prompts for each purpose contain."""


def film_of(model: ScriptedModel, film: Path, cache: Path, detector: str | None = None) -> VlmFilm:
    subtitles = film.with_suffix(".srt")
    opened = VlmAnswerer(model, Setup(detector)).open(
        film, subtitles if subtitles.exists() else None, cache=cache
    )
    assert isinstance(opened, VlmFilm)
    return opened


def of_kind(model: ScriptedModel, kind: str) -> list[Asked]:
    return [prompt for prompt in model.prompts if kind in text_of(prompt)]


def shown_between(start: float, end: float) -> ScriptedModel:
    """Says yes to windows with a frame in a part of the film, and prefers the letter of the mug."""

    def chooses(parts: Asked, letters: Sequence[str]) -> Choice:
        if WINDOW in text_of(parts):
            share = sum(start <= second <= end for second in seconds_of(parts)) / len(seconds_of(parts))
            return Choice((0.1 + 0.8 * share, 0.9 - 0.8 * share))
        lines = text_of(parts).split("Options:\n")[1].splitlines()[: len(letters)]
        return Choice(tuple(0.7 if "mug" in line else 0.1 for line in lines))

    return ScriptedModel(chooses)


def test_the_answer_and_its_moment_are_those_that_the_model_judges_likeliest(
    spoken_film: Path, tmp_path: Path
) -> None:
    model = shown_between(4.0, 6.0)
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    assert evidence.answer == "a mug"
    assert evidence.prediction.probabilities == pytest.approx((0.1, 0.7, 0.1, 0.1))
    assert evidence.prediction.span == pytest.approx((4, 6))
    assert len(of_kind(model, WINDOW)) == 4  # of 2 s each
    assert not evidence.free
    assert evidence.answered_by is not None
    assert evidence.answered_by.record is None
    assert all(moment.in_span == (4 <= moment.time <= 6) for moment in evidence.moments)


def test_every_frame_is_shown_with_its_own_second(spoken_film: Path, tmp_path: Path) -> None:
    model = shown_between(4.0, 6.0)
    film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    frames = [part for prompt in model.prompts for part in prompt if isinstance(part, Frame)]
    assert len(frames) > 12
    for frame in frames:  # the film shows the number of each of its frames, 12 a second
        assert number_of(frame.image) == round(12 * frame.second)


def test_half_of_the_frames_for_the_answer_are_of_the_moment(spoken_film: Path, tmp_path: Path) -> None:
    model = shown_between(4.0, 6.0)
    film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    seconds = seconds_of(of_kind(model, OPTIONS)[0])
    assert len(seconds) <= 4
    assert sum(4 <= second <= 6 for second in seconds) >= 2
    assert min(seconds) < 4


def test_what_is_said_is_given_with_its_times(spoken_film: Path, tmp_path: Path) -> None:
    model = shown_between(4.0, 6.0)
    film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    assert "[1.0 - 3.0 s] Mia: It's" in text_of(of_kind(model, OPTIONS)[0])
    windows = of_kind(model, WINDOW)
    assert "Mia" in text_of(windows[0])
    assert "Mia" not in text_of(windows[3])  # 6 to 8 s


@pytest.mark.parametrize("count", [2, 4, 5, 7])
def test_a_model_that_always_prefers_the_first_letter_finds_all_answers_equally_likely(
    spoken_film: Path, tmp_path: Path, count: int
) -> None:
    model = ScriptedModel(
        lambda parts, letters: Choice((0.7, *[0.3 / (len(letters) - 1)] * (len(letters) - 1)))
    )
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION, [f"thing {i}" for i in range(count)])
    assert evidence.prediction.probabilities == pytest.approx((1 / count,) * count)
    assert evidence.prediction.answer_index == 0
    assert "all candidates equally likely" in " ".join(evidence.notes)
    assert "no moment stands out" in " ".join(evidence.notes)
    assert evidence.prediction.span == pytest.approx((0, 8))


def test_a_preference_for_a_letter_does_not_outweigh_what_the_model_sees(
    spoken_film: Path, tmp_path: Path
) -> None:
    def chooses(parts: Asked, letters: Sequence[str]) -> Choice:
        if WINDOW in text_of(parts):
            return Choice((0.5, 0.5))
        lines = text_of(parts).split("Options:\n")[1].splitlines()[: len(letters)]
        weights = [(4 if i == 0 else 1) * (2 if "mug" in line else 1) for i, line in enumerate(lines)]
        return Choice(tuple(weight / sum(weights) for weight in weights))

    evidence = film_of(ScriptedModel(chooses), spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    # The mug has A once: 8 / 11; else 2 / 8. Each other has A once: 4 / 8; else 1 / 8 twice, and 1 / 11.
    mug, other = (8 / 11 + 3 * 2 / 8) / 4, (4 / 8 + 2 / 8 + 1 / 11) / 4
    assert evidence.prediction.probabilities == pytest.approx((other, mug, other, other))


def test_a_model_that_always_writes_the_first_letter_finds_all_answers_equally_likely(
    spoken_film: Path, tmp_path: Path
) -> None:
    model = ScriptedModel(lambda parts, letters: Choice(letter=0))
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION, [f"thing {i}" for i in range(5)])
    assert evidence.prediction.probabilities == pytest.approx((0.2,) * 5)


def test_every_prompt_is_told_of(spoken_film: Path, tmp_path: Path) -> None:
    model, told = shown_between(4.0, 6.0), []
    film_of(model, spoken_film, tmp_path).ask(
        QUESTION, ANSWERS, progress=lambda done, total, item: told.append((done, total, item))
    )
    # Four windows, and four orders of the options.
    assert len(model.prompts) == 8
    assert told == [(done, 8, "prompts") for done in range(1, 9)]


def test_a_model_that_prints_much_that_is_wrong_leaves_few_notes(spoken_film: Path, tmp_path: Path) -> None:
    model = shown_between(4.0, 6.0)
    model.habits = Habits(spans=True)
    model.writes = lambda parts: Reply(", ".join(f"[{i}, {i + 100}]" for i in range(40)))
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    assert any("more notes about what the model replied" in note for note in evidence.notes)
    assert len(evidence.notes) < 20


def test_letters_without_probabilities_are_votes(spoken_film: Path, tmp_path: Path) -> None:
    def chooses(parts: Asked, letters: Sequence[str]) -> Choice:
        if WINDOW in text_of(parts):
            return Choice(letter=0 if 4 <= seconds_of(parts)[0] <= 6 else 1)
        lines = text_of(parts).split("Options:\n")[1].splitlines()[: len(letters)]
        return Choice(letter=next(i for i, line in enumerate(lines) if "mug" in line))

    evidence = film_of(ScriptedModel(chooses), spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    # Four rounds, and one more divided among four candidates: (4 + 1/4) / 5 and (1/4) / 5.
    assert evidence.prediction.probabilities == pytest.approx((0.05, 0.85, 0.05, 0.05))
    assert evidence.prediction.span == pytest.approx((4, 6))
    assert "without probabilities" in " ".join(evidence.notes)


def test_a_model_that_names_no_letter_leaves_all_candidates_equal(spoken_film: Path, tmp_path: Path) -> None:
    model = ScriptedModel(lambda parts, letters: Choice(notes=("the model named no option",)))
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    assert evidence.prediction.probabilities == pytest.approx((0.25,) * 4)
    assert evidence.notes.count("the model named no option") == 1


def test_without_candidates_the_answer_is_written_then_grounded(spoken_film: Path, tmp_path: Path) -> None:
    model = shown_between(4.0, 6.0)
    model.writes = lambda parts: Reply("The answer is: A red mug.")
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION)
    assert evidence.answer == "A red mug ."
    assert evidence.free
    assert evidence.prediction.span == pytest.approx((4, 6))
    assert "A red mug" in text_of(of_kind(model, WINDOW)[0])


def test_an_empty_answer_is_said_to_be_none(spoken_film: Path, tmp_path: Path) -> None:
    evidence = film_of(shown_between(4.0, 6.0), spoken_film, tmp_path).ask(QUESTION)
    assert evidence.answer == "no answer"
    assert "wrote no answer" in " ".join(evidence.notes)


def test_a_family_that_prints_moments_is_asked_for_one(spoken_film: Path, tmp_path: Path) -> None:
    model = shown_between(0.0, 2.0)
    model.habits = Habits(spans=True)
    model.writes = lambda parts: Reply("From 4.0 seconds to 6.0 seconds.")
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    assert evidence.prediction.span == pytest.approx((4, 6))
    assert of_kind(model, SPAN)
    assert not of_kind(model, WINDOW)


def test_a_moment_that_cant_be_read_is_looked_for_in_windows(spoken_film: Path, tmp_path: Path) -> None:
    model = shown_between(4.0, 6.0)
    model.habits = Habits(spans=True)
    model.writes = lambda parts: Reply("I can't say.")
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    assert evidence.prediction.span == pytest.approx((4, 6))
    assert "no moment could be read" in " ".join(evidence.notes)


def test_a_moment_of_no_length_is_taken_with_what_is_around_it(spoken_film: Path, tmp_path: Path) -> None:
    model = shown_between(4.0, 6.0)
    model.habits = Habits(spans=True)
    model.writes = lambda parts: Reply("[7.5, 7.5]")
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    assert evidence.prediction.span == pytest.approx((6, 8))  # two seconds, of a film of eight
    assert "of no length" in " ".join(evidence.notes)


def test_a_model_without_eyes_gets_the_subtitles_alone(spoken_film: Path, tmp_path: Path) -> None:
    model = ScriptedModel(
        lambda parts, letters: Choice((1.0, *[0.0] * (len(letters) - 1))), limits=Limits(frames=0)
    )
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    assert all(isinstance(part, str) for prompt in model.prompts for part in prompt)
    assert len(of_kind(model, WINDOW)) == 3  # nothing is said between 6 and 8 s, and two seconds before it
    assert "from subtitles alone" in " ".join(evidence.notes)
    assert len(evidence.moments) == 1


def test_a_model_without_eyes_refuses_a_film_without_subtitles(short_film: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no subtitles, and vlm:scripted understands no pictures"):
        film_of(ScriptedModel(limits=Limits(frames=0)), short_film, tmp_path)


def test_boxes_are_the_models_own_in_pixels_of_the_film(spoken_film: Path, tmp_path: Path) -> None:
    model = shown_between(4.0, 6.0)
    model.habits = Habits(boxes="thousandths")
    model.writes = lambda parts: Reply(
        '[{"bbox_2d": [250, 500, 750, 1000], "label": "mug"}, {"bbox_2d": [0, 0, 9, 9], "label": "<b>spoon</b>"}]'
    )
    evidence = film_of(model, spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    boxes = [
        (words.word, box) for moment in evidence.moments for words in moment.grounding for box in words.boxes
    ]
    assert len(boxes) == len(of_kind(model, BOXES)) > 0
    for word, box in boxes:
        assert word == box.label == "mug"
        assert box.corners == (WIDTH / 4, HEIGHT / 2, 3 * WIDTH / 4, HEIGHT)
    assert "other things" in " ".join(evidence.notes)


def test_without_boxes_of_its_own_and_without_a_detector_there_are_none(
    spoken_film: Path, tmp_path: Path
) -> None:
    evidence = film_of(shown_between(4.0, 6.0), spoken_film, tmp_path).ask(QUESTION, ANSWERS)
    assert not any(moment.grounding for moment in evidence.moments)
    assert "no boxes" in " ".join(evidence.notes)


def test_more_candidates_than_letters_are_refused(spoken_film: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at most 26"):
        film_of(shown_between(4, 6), spoken_film, tmp_path).ask(QUESTION, [f"thing {i}" for i in range(27)])


@given(REPLIES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_model_prints_ends_in_evidence(short_film: Path, tmp_path: Path, text: str) -> None:
    model = ScriptedModel(
        lambda parts, letters: Choice(), lambda parts: Reply(text), habits=Habits(boxes="pixels", spans=True)
    )
    model.identity = f"scripted {text!r}"
    film = film_of(model, short_film, tmp_path)
    for evidence in (film.ask(QUESTION, ANSWERS), film.ask(QUESTION)):
        check(evidence)


def check(evidence: Evidence) -> None:
    """Evidence that every output can show."""
    start, end = evidence.prediction.span
    assert 0 <= start <= end <= evidence.clip.duration
    assert math.isclose(sum(evidence.prediction.probabilities), 1)
    assert evidence.answer.strip()
    for moment in evidence.moments:
        for words in moment.grounding:
            for box in words.boxes:
                assert 0 <= box.left < box.right <= evidence.clip.width
                assert 0 <= box.top < box.bottom <= evidence.clip.height
    json.dumps(to_json(evidence), allow_nan=False)
    assert all(len(note) < 400 for note in evidence.notes)
