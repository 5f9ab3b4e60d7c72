"""What the baselines promise: they learn, never see padding, and are trained, saved and compared as STAGE is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stage.annotation.questions import write_questions
from stage.data.batch import Batch, Context, GroundingTargets, Targets
from stage.data.examples import Limits
from stage.data.layouts import open_questions
from stage.errors import InputError
from stage.features.protocols import FeatureAttributes
from stage.features.store.feature_store import FeatureStore
from stage.inference.model_folder import load_model
from stage.inference.score import evaluate_model, predict_all
from stage.io import write_json
from stage.model.baselines.inputs import as_sequence, split_hypotheses
from stage.model.baselines.layers import gather_real
from stage.model.baselines.longest import Longest
from stage.model.baselines.multi_task import MultiTask
from stage.model.build import KINDS, VideoQASystem, build_model, training_losses
from stage.model.losses import LossWeights
from stage.training.config import RunConfig, load_config
from stage.training.loop import train
from stage.types import Box, Question, Regions

TEXT_DIM, REGION_DIM, HIDDEN = 12, 10, 16
SYSTEMS: dict[str, dict[str, Any]] = {
    "two_stream": {"kind": "two_stream"},
    "two_stream, video": {"kind": "two_stream", "streams": "video"},
    "two_stream, within the span": {"kind": "two_stream", "within_span": True},
    "st_vqa": {"kind": "st_vqa"},
    "late_fusion, rnn": {"kind": "late_fusion", "encoder": "rnn"},
    "late_fusion, cnn": {"kind": "late_fusion", "encoder": "cnn"},
    "pamn": {"kind": "pamn"},
    "multi_task": {"kind": "multi_task"},
}
LOCALISING, GROUNDING = {"multi_task"}, {"late_fusion, rnn", "late_fusion, cnn"}
systems = pytest.mark.parametrize("name", SYSTEMS)


def make_model(name: str) -> VideoQASystem:
    torch.manual_seed(1)
    settings = {"hidden": HIDDEN, "embedding": 14, "dropout": 0, **SYSTEMS[name]}
    config = KINDS[settings["kind"]].model_validate(
        {**settings, "text_dim": TEXT_DIM, "region_dim": REGION_DIM}
    )
    return build_model(config).eval()


def make_batch(questions: int = 4, hypotheses: int = 3, frames: int = 6) -> Batch:
    """Ragged questions; what is padded holds large values that must not be seen."""
    g = torch.Generator().manual_seed(2)

    def ragged(*shape: int, low: int) -> tuple[Tensor, Tensor]:
        *outer, longest, _ = shape
        mask = torch.arange(longest) < torch.randint(low, longest + 1, outer, generator=g)[..., None]
        return torch.where(mask[..., None], torch.randn(*shape, generator=g), 100.0), mask

    words, word_mask = ragged(questions, hypotheses, 9, TEXT_DIM, low=5)
    lengths = torch.arange(questions) % 3 + 2
    asked = torch.arange(9) < lengths[:, None]
    words = torch.where(asked[:, None, :, None], words[:, :1], words)
    frame_mask = torch.arange(frames) < torch.arange(frames - questions + 1, frames + 1)[:, None]
    spoken, spoken_mask = ragged(questions, frames, 5, TEXT_DIM, low=0)
    seen, seen_mask = ragged(questions, frames, 4, REGION_DIM, low=1)
    answer = torch.arange(questions) % hypotheses
    shown = GroundingTargets(
        torch.tensor([0, 1]), torch.tensor([1, 2]), torch.tensor([0, 1]), torch.eye(4)[:2].bool()
    )
    targets = Targets(answer, torch.ones(questions).long(), torch.full((questions,), 2), shown)
    return Batch(
        words,
        word_mask,
        Context.of_all(spoken, spoken_mask & frame_mask[..., None]),
        Context.of_all(seen, seen_mask & frame_mask[..., None]),
        frame_mask,
        targets,
        lengths,
    )


def alone(batch: Batch, n: int) -> Batch:
    """Question n cut to its own lengths."""
    words = int(batch.word_mask[n].sum(-1).max())
    frames = int(batch.frame_mask[n].sum())

    def cut(context: Context) -> Context:
        elements, mask = context.by_frame()
        longest = int(mask[n].sum(-1).max())
        return Context.of_all(elements[n : n + 1, :frames, :longest], mask[n : n + 1, :frames, :longest])

    assert batch.targets is not None
    assert batch.question_lengths is not None
    truth = (t[n : n + 1] for t in (batch.targets.answer, batch.targets.start, batch.targets.end))
    return Batch(
        batch.words[n : n + 1, :, :words],
        batch.word_mask[n : n + 1, :, :words],
        cut(batch.dialogue),
        cut(batch.pictures),
        batch.frame_mask[n : n + 1, :frames],
        Targets(*truth, None),
        batch.question_lengths[n : n + 1],
    )


@systems
def test_it_learns_a_small_batch_by_heart(name: str) -> None:
    model, batch = make_model(name).train(), make_batch()
    assert batch.targets is not None
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    totals = []
    for _ in range(60):
        losses, _ = training_losses(model, batch, LossWeights())
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        totals.append(losses.total.item())
    with torch.no_grad():
        answered = model.eval().answer(batch)
    assert totals[-1] < 0.5 * totals[0]
    assert answered.logits.argmax(-1).tolist() == batch.targets.answer.tolist()
    if name in LOCALISING:
        right = torch.arange(len(batch)), batch.targets.answer
        assert answered.spans.start[right].tolist() == [1] * len(batch)
        assert answered.spans.end[right].tolist() == [2] * len(batch)


@systems
def test_every_weight_learns(name: str) -> None:
    model = make_model(name).train()
    training_losses(model, make_batch(), LossWeights())[0].total.backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert still == []


@systems
def test_a_prediction_does_not_depend_on_its_batch(name: str) -> None:
    model, batch = make_model(name), make_batch()
    with torch.no_grad():
        together = model.answer(batch)
        for n in range(len(batch)):
            single = model.answer(alone(batch, n))
            frames = single.start_probabilities.shape[-1]
            torch.testing.assert_close(single.logits[0], together.logits[n], rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(
                single.start_probabilities[0], together.start_probabilities[n, :, :frames]
            )


@systems
def test_the_order_of_candidates_does_not_matter(name: str) -> None:
    model, batch = make_model(name), make_batch()
    turned = Batch(
        batch.words.flip(1), batch.word_mask.flip(1), batch.dialogue, batch.pictures, batch.frame_mask,
        batch.targets, batch.question_lengths,
    )  # fmt: skip
    with torch.no_grad():
        logits = model.answer(batch).logits
        torch.testing.assert_close(model.answer(turned).logits, logits.flip(1), rtol=1e-5, atol=1e-5)


@systems
def test_a_film_without_subtitles_or_without_regions_is_answered(name: str) -> None:
    model, batch = make_model(name), make_batch()
    questions, frames = batch.frame_mask.shape
    silent = Context.of_all(
        torch.zeros(questions, frames, 0, TEXT_DIM), torch.zeros(questions, frames, 0).bool()
    )
    dark = Context.of_all(
        torch.zeros(questions, frames, 0, REGION_DIM), torch.zeros(questions, frames, 0).bool()
    )
    with torch.no_grad():
        for dialogue, pictures in ((silent, batch.pictures), (batch.dialogue, dark)):
            poor = Batch(
                batch.words, batch.word_mask, dialogue, pictures, batch.frame_mask,
                question_lengths=batch.question_lengths,
            )  # fmt: skip
            assert model.answer(poor).logits.isfinite().all()


@systems
def test_a_system_that_does_not_localise_gives_the_whole_clip(name: str) -> None:
    model, batch = make_model(name), make_batch()
    with torch.no_grad():
        answered = model.answer(batch)
    assert model.config.localises == (name in LOCALISING)
    if not model.config.localises:
        assert answered.spans.start.unique().tolist() == [0]
        assert (answered.spans.end == batch.frame_mask.sum(1)[:, None] - 1).all()
    scores = answered.grounded.region_scores
    assert (scores is not None) == (name in GROUNDING)
    if scores is not None:
        n, k, words = batch.word_mask.shape
        assert scores.shape == (n, batch.frame_mask.shape[1], k, words, 4)
        real = batch.region_mask[:, :, None, None] & batch.word_mask[:, None, :, :, None]
        assert (scores[real].abs() <= 1.0001).all()
        assert (scores[~real] == -1e10).all()


def test_within_the_span_nothing_else_is_read() -> None:
    model, batch = make_model("two_stream, within the span"), make_batch()
    spoken, mask = batch.dialogue.by_frame()
    changed = spoken.clone()
    changed[:, 3:] = 0.0  # the span is frames 1 and 2
    other = Batch(
        batch.words, batch.word_mask, Context.of_all(changed, mask), batch.pictures, batch.frame_mask,
        batch.targets, batch.question_lengths,
    )  # fmt: skip
    with torch.no_grad():
        assert torch.equal(model.answer(batch).logits, model.answer(other).logits)


def test_questions_and_answers_are_taken_apart() -> None:
    batch = make_batch()
    texts = split_hypotheses(batch)
    assert texts.question.mask.sum(1).tolist() == [2, 3, 4, 2]
    torch.testing.assert_close(texts.question.values[1, :3], batch.words[1, 0, :3])
    answer = batch.words[1, 2][batch.word_mask[1, 2]][3:]
    torch.testing.assert_close(texts.answers.values[1, 2][texts.answers.mask[1, 2]], answer)


def test_sentences_that_neighbouring_frames_share_are_said_once() -> None:
    words = torch.arange(6.0).view(3, 2, 1)
    context = Context(words, torch.ones(3, 2).bool(), torch.tensor([[0, 0, 1, 2, 2, 0]]))
    frames = torch.tensor([[True, True, True, False, True, True]])
    sequence = as_sequence(words, context, frames)
    assert sequence.values[sequence.mask].flatten().tolist() == [0, 1, 2, 3, 4, 5, 0, 1]


def test_what_is_real_is_moved_to_the_front_in_its_order() -> None:
    x = torch.arange(8.0).view(2, 4, 1)
    mask = torch.tensor([[False, True, False, True], [True, False, False, False]])
    gathered = gather_real(x, mask)
    assert gathered.values.shape == (2, 2, 1)
    assert gathered.values[gathered.mask].flatten().tolist() == [1, 3, 4]


def test_alignment_comes_first_and_fades() -> None:
    model, batch = make_model("multi_task").train(), make_batch()
    assert isinstance(model, MultiTask)

    def alignment() -> float:
        losses, _ = model.losses(batch, LossWeights(span=0.0))
        return (losses.total - losses.answer).item()

    first = alignment()
    model.questions_seen.fill_(model.config.alignment_questions // 2)
    assert first > 0
    assert alignment() == pytest.approx(first / 2, rel=1e-3)
    model.questions_seen.fill_(model.config.alignment_questions)
    assert alignment() == 0


def test_the_longest_answer_is_the_one_with_most_words() -> None:
    batch = make_batch()
    assert torch.equal(Longest().answer(batch).logits.argmax(-1), batch.word_mask.sum(-1).argmax(-1))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of two clips with features out of the air."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(3)
    store = FeatureStore.create(folder / "features", FeatureAttributes("air", TEXT_DIM, "air", REGION_DIM))
    said = ("Hi there .", "The mug is red .")
    answers = ("The red mug over there .", "A hat .", "The car .")
    questions = [
        Question(
            i, f"clip{i % 2}", "What is it ?", answers, i % 3, (0.5, 3.5), {1: (Box(0, 0, 9, 9, "mug"),)}
        )
        for i in range(6)
    ]
    texts = {*said, *(h for question in questions for h in question.hypotheses)}
    store.put_texts(
        {text: rng.normal(size=(len(text.split()), TEXT_DIM)).astype(np.float32) for text in texts}
    )
    for clip in ("clip0", "clip1"):
        boxes = np.array([[0, 0, 9, 9], [5, 5, 20, 20]], np.float32)
        store.put_clip(
            clip,
            {
                frame: Regions(
                    boxes, np.ones(2, np.float32), rng.normal(size=(2, REGION_DIM)).astype(np.float32)
                )
                for frame in range(1, 25, 6)
            },
        )
    write_questions(folder / "questions.json", questions)
    subtitles = {"sub_text": " <eos> ".join(said), "sub_time": [0.5, 4.0]}
    write_json(folder / "subtitles.json", {"clip0": subtitles, "clip1": subtitles})
    write_json(folder / "frames.json", {"clip0": 24, "clip1": 24})
    return folder


def run(data: Path, out: Path, *overrides: str, model: str = "hidden: 8") -> RunConfig:
    out.mkdir(exist_ok=True)
    (out / "run.yaml").write_text(
        f"data: {{train: {data}, val: {data}, workers: 0}}\noutput: {out}\n"
        f"model: {{{model}}}\ntraining: {{epochs: 1, batch_size: 3}}\n"
    )
    return load_config(out / "run.yaml", overrides)


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_is_trained_saved_and_loaded(data: Path, tmp_path: Path, kind: str) -> None:
    trained, scores = train(run(data, tmp_path, f"model.kind={kind}"), progress=False)
    loaded = load_model(tmp_path / "model")
    assert loaded.stage.config == trained.stage.config
    assert (loaded.stage.config.kind, loaded.stage.config.text_dim) == (kind, TEXT_DIM)
    questions = open_questions(data, loaded.limits)
    loaded.check_features(questions.source.attributes, questions.name)
    assert list(predict_all(loaded, questions)) == list(predict_all(trained, questions))
    assert scores.qa_accuracy is not None
    assert (scores.temporal_miou is not None) == loaded.stage.config.localises
    assert (scores.answer_span_accuracy is not None) == loaded.stage.config.localises
    assert (scores.grounding_map is not None) == (kind in ("stage", "late_fusion"))


def test_the_longest_answer_needs_no_training(data: Path) -> None:
    model = load_model("longest")
    questions = open_questions(data, Limits())
    model.check_features(questions.source.attributes, questions.name)
    scores = evaluate_model(model, questions)
    assert scores.qa_accuracy == pytest.approx(2 / 6)  # the first candidate is the longest
    assert scores.temporal_miou is None


def test_settings_that_only_the_kind_of_the_file_has_stay_with_it(data: Path, tmp_path: Path) -> None:
    config = run(data, tmp_path, "model.kind=two_stream", model="hidden: 8, span_margin: 0").model.system
    assert config.model_dump(include={"kind", "hidden"}) == {"kind": "two_stream", "hidden": 8}


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (
            ["model.kind=three_stream"],
            r"model\.kind: there is no such kind of model; choose one of stage, two",
        ),
        (["model.kind=longest"], r"model\.kind: there is no such kind"),
        (["model.kind=[1]"], r"model\.kind: there is no such kind"),
        (["model.kind=two_stream", "model.span_margin=3"], r"model\.span_margin: there is no such setting"),
        (["model.span_margin=3", "model.kind=pamn"], r"model\.span_margin: there is no such setting"),
        (["model.within_span=true"], r"model\.within_span: there is no such setting"),
        (["model.kind=late_fusion", "model.encoder=gru"], r"model\.encoder: .*'rnn' or 'cnn'"),
        (["model.kind=two_stream", "model.hidden=7"], r"model\.hidden: .*multiple of 2"),
        (["model.text_dim=7"], r"model\.text_dim: there is no such setting"),
    ],
)
def test_a_wrong_kind_or_setting_is_named_in_one_line(
    data: Path, tmp_path: Path, overrides: list[str], reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as raised:
        run(data, tmp_path, *overrides)
    assert "\n" not in str(raised.value)


def test_a_model_folder_of_before_there_were_kinds_is_stage(data: Path, tmp_path: Path) -> None:
    train(run(data, tmp_path), progress=False)
    config = tmp_path / "model" / "config.json"
    said = config.read_text()
    assert '"kind":"stage",' in said.replace(" ", "").replace("\n", "")
    config.write_text(said.replace('"kind": "stage",', ""))
    assert load_model(tmp_path / "model").stage.config.kind == "stage"
    config.write_text(said.replace('"kind": "stage"', '"kind": "quiz"'))
    with pytest.raises(InputError, match="no such kind of model"):
        load_model(tmp_path / "model")
