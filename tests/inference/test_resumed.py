"""Long work is resumed with the answers of the same work alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from samples.answerers import FakeAnswerer, Server, use
from samples.chat import ScriptedModel
from samples.detector import Shades
from stage.annotation.questions import write_questions
from stage.errors import InputError
from stage.inference.answerer import Answerer, OpenFilm, Setup
from stage.inference.journal import Journal
from stage.inference.model_folder import PACKAGED
from stage.inference.resumed import KeptAnswers, resumed_predictions, work_of_data, work_of_film
from stage.inference.trained import load
from stage.types import Question
from stage.vlm.answerer import VlmAnswerer
from stage.zero_shot.answerer import ZeroShot
from stage.zero_shot.parameters import Parameters

QUESTIONS = [Question(i, "one", f"Who is number {i} ?", ("Leo .", "Mia .")) for i in range(3)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return use(monkeypatch)


@pytest.fixture
def film(server: Server, spoken_film: Path, tmp_path: Path) -> OpenFilm:
    return FakeAnswerer("fake:x").open(spoken_film, spoken_film.with_suffix(".srt"), cache=tmp_path)


def test_models_of_the_same_name_with_other_weights_do_other_work(spoken_film: Path, tmp_path: Path) -> None:
    answerers = [VlmAnswerer(ScriptedModel(identity=weights), Setup()) for weights in ("first", "second")]
    assert answerers[0].name == answerers[1].name
    works = [work_of_data(answerer, Setup(), QUESTIONS) for answerer in answerers]
    assert works[0] != works[1]
    films = [work_of_film(answerer.open(spoken_film, cache=tmp_path), Setup()) for answerer in answerers]
    assert films[0] != films[1]


def test_a_model_folder_whose_weights_changed_does_other_work(tmp_path: Path) -> None:
    first, second = tmp_path / "first" / "model", tmp_path / "second" / "model"
    for folder in (first, second):
        shutil.copytree(PACKAGED / "sitcom", folder)
    assert load(first, Setup()).model.digest == load(second, Setup()).model.digest != ""
    weights = second / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1  # the last bit of a float: still a number
    weights.write_bytes(content)
    assert load(first, Setup()).identity != load(second, Setup()).identity


def test_other_subtitles_questions_and_setups_are_other_work(film: OpenFilm) -> None:
    answerer: Answerer = film.answerer
    mute = replace(film, clip=replace(film.clip, sentences=()))
    assert work_of_film(film, Setup()) == work_of_film(film, Setup())
    assert work_of_film(film, Setup()) != work_of_film(mute, Setup())
    assert work_of_film(film, Setup()) != work_of_film(film, Setup("onnx:FILE"))
    assert work_of_data(answerer, Setup(), QUESTIONS) != work_of_data(answerer, Setup(), QUESTIONS[1:])


def test_an_answer_that_was_kept_is_not_asked_again(film: OpenFilm, server: Server, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    for _ in range(2):
        journal = Journal(out, work_of_film(film, Setup()))
        kept = KeptAnswers(film, journal)
        evidence = kept.ask(QUESTIONS[0])
        assert evidence.answer == "Leo ."
        journal.close()
    assert server.asked == [QUESTIONS[0].text]
    assert kept.used == 1


def test_predictions_that_were_kept_come_first_and_the_rest_is_predicted(
    server: Server, tmp_path: Path
) -> None:
    write_questions(tmp_path / "questions.json", QUESTIONS)
    answers = FakeAnswerer("fake:x").answers(tmp_path)
    work = work_of_data(FakeAnswerer("fake:x"), Setup(), QUESTIONS)
    server.works_for = 2
    journal = Journal(tmp_path / "out.json", work)
    with pytest.raises(InputError):
        list(resumed_predictions(answers, journal))
    journal.close()
    server.works_for = 9
    journal = Journal(tmp_path / "out.json", work)
    assert [prediction.qid for prediction in resumed_predictions(answers, journal)] == [0, 1, 2]
    journal.close()
    assert server.asked == [question.text for question in QUESTIONS]


def test_a_zero_shot_answerer_with_other_models_or_parameters_does_other_work() -> None:
    first, second = Shades(), Shades()
    second.name = "shades@2"
    answerers = [
        ZeroShot(),
        ZeroShot(first),
        ZeroShot(second),
        ZeroShot(parameters=Parameters(same_thing=0.1)),
    ]
    assert len({answerer.name for answerer in answerers}) == 1
    assert len({answerer.identity for answerer in answerers}) == 4
