"""Commands that make models: `stage import`, `finetune-text`, `detector` and `remake`."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from golden import COMPACT, Golden
from samples.bert import write_bert
from samples.command_line import Run
from samples.sitcom import RUN
from stage.annotation.questions import read_questions
from stage.commands import remake
from stage.features.names import same_model
from stage.features.regions.packaged import StageDetector
from stage.features.registry import load_text_encoder
from stage.inference import model_folder
from stage.inference.model_folder import load_model
from stage.io import write_json
from stage.sitcom import episodes
from stage.sitcom.benchmark import splits
from stage.training import detector as detector_training
from stage.training import loop


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.save(Golden.read(COMPACT).weights, tmp_path / "best.pth")
    return tmp_path / "best.pth"


def test_an_imported_checkpoint_says_what_it_is_and_answers_as_the_release_does(
    run: Run, checkpoint: Path, tmp_path: Path
) -> None:
    golden = Golden.read(COMPACT)
    done = run("import", checkpoint, tmp_path / "model")
    assert (done.code, done.err) == (0, "")
    loaded = load_model(tmp_path / "model")
    config = loaded.model.config
    count = sum(weight.numel() for weight in loaded.model.parameters())  # type: ignore[union-attr]
    assert done.out == (
        f"{tmp_path / 'model'}: STAGE with {count:,} weights (streams: both, local features: yes, "
        f"word vectors: {config.text_dim}, region features: {config.region_dim})\n"
    )
    assert "best.pth, a checkpoint of the release" in (tmp_path / "model" / "card.md").read_text()
    with torch.inference_mode():
        logits = loaded.model.answer(golden.batch).logits
    assert torch.allclose(logits, golden.tensor("eval/answer_scores"), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nowhere.pth", "model"), "nowhere.pth: can't be read"),
        (("text.pth", "model"), "text.pth: "),
        (("empty.pth", "model"), "empty.pth: "),
        ((".", "model"), ".: "),
        (("best.pth", "best.pth"), "best.pth: exists and is no model folder"),
        (("best.pth", "model", "--opt", "other.json"), "other.json"),
        (("best.pth", "model", "--concepts", "nowhere.json"), "nowhere.json: can't be read"),
        (("best.pth", "model", "--concepts", "number.json"), "number.json: "),
    ],
)
def test_what_can_not_be_imported_is_named(
    run: Run, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], reason: str
) -> None:
    monkeypatch.chdir(checkpoint.parent)
    Path("text.pth").write_text("weights")
    Path("empty.pth").touch()
    write_json(Path("other.json"), {"hsz": 7})
    write_json(Path("number.json"), 3)
    done = run("import", *arguments)
    assert done.refused(reason), done
    assert not Path("model").exists()


@pytest.mark.slow
def test_a_fine_tuned_encoder_is_another_one_and_scores_are_printed(
    run: Run, random_data: Path, tmp_path: Path
) -> None:
    bert, out = write_bert(tmp_path / "bert"), tmp_path / "tuned"
    done = run("finetune-text", random_data, out, "--text", bert, "--epochs", "2", "--batch-size", "4")
    assert done.code == 0, done
    before, after, made = done.out.splitlines()
    for line, when in ((before, "before"), (after, "after")):
        assert line.startswith(f"{when}: perplexity of masked words ")
        perplexity = float(line.split("words ")[1].split(",")[0])
        assert 1 < perplexity < 100  # of 24 pieces, which weights that know nothing take for equally likely
    assert before.split(":")[1] != after.split(":")[1]
    assert made == f"{out}: the fine-tuned model; use it with `stage features text DATA --text {out}`"
    first, tuned = load_text_encoder(str(bert)), load_text_encoder(str(out))
    assert not same_model(first.name, tuned.name)
    assert tuned.dim == 32
    assert run("finetune-text", random_data, out, "--text", out).refused("is the model to start from")
    other = ("finetune-text", random_data, out, "--text", bert, "--epochs", "3")
    assert run(*other).refused("settings"), run(*other)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nowhere", "out"), "nowhere"),
        (("file.txt", "out"), "file.txt"),
        (("DATA", "out", "--text", "./no-bert"), "no-bert"),
        (("DATA", "file.txt"), "file.txt"),
        (("DATA", "out", "--epochs", "0"), "invalid value for '--epochs'"),
    ],
)
def test_what_can_not_be_fine_tuned_is_named(
    run: Run,
    random_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("hello")
    given = [random_data if argument == "DATA" else argument for argument in arguments]
    if "--text" not in given:
        given += ["--text", write_bert(tmp_path / "bert")]
    done = run("finetune-text", *given)
    assert done.refused(reason), done


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_trained_detector_is_the_one_of_its_card(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("recall", "attribute_accuracy"):
        few = partial(getattr(detector_training, name), images=4)
        monkeypatch.setattr(detector_training, name, few)
    out = tmp_path / "detector"
    for seed in (1, 2):  # the second replaces the first
        done = run("detector", out, "--pictures", "8", "--seed", str(seed))
        detector = StageDetector.load(out)
        assert (done.code, done.err) == (0, ""), done
        assert done.out == f"{out}: detector {detector.name}; its scores are in {out / 'card.md'}\n"
        card = (out / "card.md").read_text("utf-8")
        assert f"- name: {detector.name}\n" in card
        assert f"`stage detector OUT --pictures 8 --seed {seed}`" in card
    assert run("detector", out / "card.md").refused("card.md")
    assert run("detector", out, "--pictures", "7").refused("invalid value for '--pictures'")


@pytest.mark.slow
def test_remaking_trains_each_variant_once_and_packages_the_full_one(
    run: Run, sitcom_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one episode for all splits, since drawing and training take hours."""
    trained: list[str] = []
    train = loop.train

    def counted(config: Any, **named: Any) -> Any:
        trained.append(config.output.name)
        return train(config, **named)

    def copied(out: Path, *_: Any) -> None:
        if not out.exists():
            shutil.copytree(sitcom_data, out)

    count = len(read_questions(sitcom_data / "questions.json"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        splits, "SPLITS", {name: splits.SplitSize(1, count) for name in ("train", "val", "test")}
    )
    monkeypatch.setattr(splits, "publish", lambda data: None)
    monkeypatch.setattr(episodes, "write_sitcom", copied)
    monkeypatch.setattr(loop, "train", counted)
    monkeypatch.setattr(model_folder, "PACKAGED", tmp_path / "packaged")
    assert run("remake").refused("run `stage remake` in a source checkout")
    Path("configs").mkdir()
    Path("configs/sitcom.yaml").write_text(RUN.format(data="unused", out="unused"))
    for _ in range(2):  # the second time everything is there
        done = run("remake", "data", "runs")
        assert done.code == 0, done
    assert trained == ["full", "video", "subtitles", "none"]
    runs = Path("runs") / f"version-{splits.VERSION}"
    scores = json.loads((runs / "scores.json").read_text())
    assert set(scores) == {str(runs / name / "model") for name in remake.VARIANTS}
    for name in remake.VARIANTS:
        card = (runs / name / "model" / "card.md").read_text("utf-8")
        accuracy = 100 * scores[str(runs / name / "model")]["qa_accuracy"]
        assert card.count("- scores on 1 unseen test episode: ") == 1
        assert f"qa_accuracy {accuracy:.2f} %" in card
        assert f"{accuracy:.2f}" in done.out
    for file in ("config.json", "weights.safetensors", "card.md"):
        packaged = tmp_path / "packaged" / "sitcom" / file
        assert packaged.read_bytes() == (runs / "full" / "model" / file).read_bytes()
