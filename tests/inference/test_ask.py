"""A film is asked: answers come with evidence, and features are cached."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stage.data.examples import collate
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.inference.answerer import Answerer
from stage.inference.asked import tokenise_question
from stage.inference.model_folder import load_model, save_model
from stage.inference.trained import TrainedFilm
from stage.model.build import build_model
from stage.model.stage import Stage


def test_an_answer_comes_with_all_its_evidence(sitcom_film: TrainedFilm) -> None:
    evidence = sitcom_film.ask(
        "What is Mia holding when Leo talks about the exam ?", ["The mug .", "The guitar .", "A hat ."]
    )
    assert evidence.answer in evidence.question.answers
    assert sum(evidence.prediction.probabilities) == pytest.approx(1.0)
    assert evidence.prediction.probabilities[evidence.prediction.answer_index] == max(
        evidence.prediction.probabilities
    )
    start, end = evidence.prediction.span
    assert 0 <= start < end <= evidence.clip.duration + 2
    assert [m.frame for m in evidence.moments] == list(range(1, evidence.clip.frame_count + 1, 6))
    assert sum(m.start_probability for m in evidence.moments) == pytest.approx(1.0, abs=1e-4)
    for moment in evidence.moments:
        for attended in moment.sentences:
            assert len(attended.weights) == len(attended.sentence.words)
            assert all(0 <= weight <= 1 for weight in attended.weights)
        for words in moment.grounding:
            assert words.word in evidence.concepts
            assert all(box.score >= 0.2 for box in words.boxes)


def test_asking_agrees_with_predicting_the_data_set(
    sitcom_data: Path, sitcom_model: Path, sitcom_film: TrainedFilm
) -> None:
    model = load_model(sitcom_model)
    questions = open_questions(sitcom_data, model.limits).with_projections(model.projections)
    unboxed = [
        replace(question, boxes={}) for question in questions.questions
    ]  # read from the first frame on
    questions = replace(questions, questions=unboxed)
    with torch.inference_mode():
        for i in range(3):
            asked = sitcom_film.ask_question(unboxed[i])
            answered = model.model.answer(collate([questions.example(i)]))
            assert np.allclose(asked.prediction.probabilities, answered.logits[0].softmax(-1), atol=1e-5)


def test_a_film_is_encoded_once(
    sitcom_film: TrainedFilm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = sitcom_film.answerer.open(sitcom_film.film.path, cache=tmp_path)
    monkeypatch.setattr(type(sitcom_film.answerer.detector), "detect", None)
    again = sitcom_film.answerer.open(sitcom_film.film.path, cache=tmp_path)
    assert {f: len(r) for f, r in again.features.regions.items()} == {
        f: len(r) for f, r in first.features.regions.items()
    }
    assert any("no subtitles" in note for note in again.notes)


def test_questions_are_answered_even_if_nothing_can_be_cached(short_film: Path, sitcom_model: Path) -> None:
    film = Answerer.from_pretrained(sitcom_model).open(short_film, cache=short_film)
    assert any("not cached" in note and str(short_film) in note for note in film.notes)
    assert film.ask("Who is it ?", ["Mia .", "Leo ."]).moments


def test_a_damaged_cache_is_recomputed(short_film: Path, sitcom_model: Path, tmp_path: Path) -> None:
    answerer = Answerer.from_pretrained(sitcom_model)
    first = answerer.open(short_film, cache=tmp_path)
    (kept,) = tmp_path.rglob("clips/*.safetensors")
    whole = kept.read_bytes()
    kept.write_bytes(whole[:50])
    again = answerer.open(short_film, cache=tmp_path)
    assert again.features.regions.keys() == first.features.regions.keys()
    assert kept.read_bytes() == whole
    (note,) = [note for note in again.notes if "cached" in note]
    assert "what was cached of the film is damaged, and made anew" in note


def test_a_model_made_for_other_features_is_refused(
    short_film: Path, sitcom_model: Path, tmp_path: Path
) -> None:
    model = load_model(sitcom_model)
    other = replace(model, features=model.features.model_copy(update={"regions": "stage@000000000000"}))
    save_model(other, tmp_path / "other")
    with pytest.raises(InputError, match="stage@000000000000"):
        Answerer.from_pretrained(tmp_path / "other").open(short_film)


def test_a_model_of_released_features_is_not_asked_about_films(
    sitcom_model: Path, tmp_path: Path, short_film: Path
) -> None:
    model = load_model(sitcom_model)
    recipe = model.features.model_copy(
        update={"text": "tvqa-release/text", "regions": "tvqa-release/regions"}
    )
    save_model(replace(model, features=recipe), tmp_path / "imported")
    with pytest.raises(InputError, match=r"authors' release.*stage predict"):
        Answerer.from_pretrained(tmp_path / "imported").open(short_film)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [("Mia .", "give a list of two or more"), (["Mia .", 3], "one is 3"), (["Mia .", None], "one is None")],
)
def test_answers_are_a_list_of_texts(answers: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        tokenise_question("Who is it ?", answers)


def test_an_open_film_is_described_in_one_line(sitcom_film: TrainedFilm) -> None:
    assert repr(sitcom_film).startswith("TrainedFilm(")
    assert repr(sitcom_film).endswith(" sentences)")
    assert len(repr(sitcom_film)) < 300


def test_frames_outside_the_film_are_named(sitcom_film: TrainedFilm) -> None:
    count = sitcom_film.film.frame_count
    assert list(sitcom_film.pictures([count, 1], longest_side=32)) == [1, count]
    with pytest.raises(
        InputError, match=rf"{sitcom_film.film.path}: has no frames 0, {count + 1}; .* from 1 to {count}"
    ):
        sitcom_film.pictures([0, 1, count + 1])


def test_the_model_s_own_attention_scale_is_shown(sitcom_film: TrainedFilm) -> None:
    """The same weights with a smaller scale attend to all words nearly alike."""
    trained = sitcom_film.answerer.model
    assert isinstance(trained.model, Stage)
    flat = build_model(trained.model.config.model_copy(update={"attention_scale": 0.01})).eval()
    flat.load_state_dict(trained.model.state_dict())
    other = replace(sitcom_film, answerer=replace(sitcom_film.answerer, model=replace(trained, model=flat)))
    asked = "What is Mia holding ?", ["The mug .", "A hat ."]
    sharp, even = ([m.sentences for m in film.ask(*asked).moments] for film in (sitcom_film, other))
    assert [[a.sentence for a in said] for said in sharp] == [[a.sentence for a in said] for said in even]
    for said in filter(None, even):
        weights = [weight for attended in said for weight in attended.weights]
        assert weights == pytest.approx([1 / len(weights)] * len(weights), rel=0.03)
    assert max(max(a.weights) for said in sharp for a in said) > 0.2


def test_a_model_of_visual_concepts_is_asked_with_a_note(sitcom_film: TrainedFilm) -> None:
    """Their name doesn't say which detector they come from, and a film has those of the packaged one."""
    answerer = sitcom_film.answerer
    assert answerer.notes == ()
    recipe = answerer.model.features.model_copy(update={"regions": f"concepts:{answerer.text.name}"})
    (note,) = replace(answerer, model=replace(answerer.model, features=recipe)).notes
    assert "doesn't know which detector" in note
