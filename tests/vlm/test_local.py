"""Vision-language models of transformers: tiny ones with random weights, asked for real about a film."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conftest import made_once
from samples.bert import write_bert
from samples.vlm_models import LETTERS, write_gemma, write_qwen, write_smolvlm
from stage.errors import InputError
from stage.inference.answerer import Answerer, Setup
from stage.types import Image
from stage.vlm import local
from stage.vlm.chat import Frame, Part
from stage.vlm.letters import OPENING, choice_from_logits, tokens_of_letters
from stage.vlm.local import LocalModel

KINDS: dict[str, Callable[[Path], Path]] = {
    "qwen3": write_qwen,
    "qwen25": lambda folder: write_qwen(folder, third=False),
    "smolvlm": write_smolvlm,
    "gemma": write_gemma,
}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each kind."""
    return {name: made_once(tmp_path_factory, f"vlm-{name}", write) for name, write in KINDS.items()}


@pytest.fixture(scope="session")
def models(folders: dict[str, Path]) -> dict[str, LocalModel]:
    """Each of them, loaded."""
    return {name: LocalModel.load(str(folder)) for name, folder in folders.items()}


@pytest.fixture
def copied(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A model whose files may be changed."""
    return shutil.copytree(folders["qwen3"], tmp_path / "copy")


@pytest.fixture
def caught(models: dict[str, LocalModel], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The tensors of the last prompt of each model."""
    inputs: dict[str, Any] = {}
    original = LocalModel._inputs

    def keeping(model: LocalModel, parts: list[Part], opening: str) -> dict[str, Any]:
        inputs[model.name] = original(model, parts, opening)
        return inputs[model.name]

    monkeypatch.setattr(LocalModel, "_inputs", keeping)
    return inputs


def picture(seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (56, 112, 3), dtype=np.uint8)


def prompt(question: str = "Which?") -> list[Part]:
    return ["Look: ", Frame(picture(), 1.0), Frame(picture(1), 2.5), question]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_probability_of_a_letter_is_that_of_all_tokens_that_spell_it(
    kind: str, models: dict[str, LocalModel], caught: dict[str, Any]
) -> None:
    model = models[kind]
    choice = model.choose(prompt(), LETTERS[:3])
    with torch.inference_mode():
        logits = model.model(**caught[model.name]).logits[0, -1].double()
    vocabulary = model.processor.tokenizer.get_vocab()
    space = "▁" if kind == "gemma" else "Ġ"
    sums = [logits[[vocabulary[letter], vocabulary[space + letter]]].exp().sum() for letter in LETTERS[:3]]
    assert choice.probabilities == pytest.approx([float(each / sum(sums)) for each in sums], rel=1e-4)
    assert choice.letter is None
    assert "all letters together" in choice.notes[0]  # with random weights


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_has_each_frame_after_its_second_and_ends_where_a_letter_follows(
    kind: str, models: dict[str, LocalModel], caught: dict[str, Any]
) -> None:
    model = models[kind]
    model.choose(prompt(), LETTERS[:3])
    tokenizer = model.processor.tokenizer
    text = tokenizer.decode(caught[model.name]["input_ids"][0])
    assert text.endswith(OPENING)
    stamps = [model.habits.stamp.format(second) for second in (1.0, 2.5)]
    pad = model.processor.image_token if kind != "gemma" else tokenizer.image_token
    first, second = text.index(stamps[0]), text.index(stamps[1])
    assert text.index("Look: ") < first < text.index(pad) < second < text.rindex(pad) < text.index("Which?")
    if kind == "gemma":
        assert text.count(tokenizer.bos_token) == 1
    # 56 x 112 pixels in patches of 16 x 16 (14 x 14), of which 2 x 2 become a token; those of others are of one size.
    tokens = {"qwen3": 2 * 4, "qwen25": 2 * 4, "smolvlm": 4, "gemma": 4}[kind]
    if kind == "qwen3":  # sides become multiples of 32
        grid = caught[model.name]["image_grid_thw"][0].tolist()
        tokens = grid[1] * grid[2] // 4
    assert text.count(pad) == 2 * tokens


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_film_is_asked_end_to_end(
    kind: str, folders: dict[str, Path], short_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stage.vlm.grounding.MOST_TOKENS", 20)  # these models never end a reply
    answerer = Answerer.from_pretrained(f"vlm:{folders[kind]}")
    film = answerer.open(short_film, cache=tmp_path)
    for _ in range(2):
        chosen = film.ask("What is it ?", ["a hat", "a mug"])
        assert sum(chosen.prediction.probabilities) == pytest.approx(1)
        assert chosen.answer in ("a hat", "a mug")
        written = film.ask("What is it ?")
        assert written.free
        assert written.answer
        assert written.answered_by is not None
        assert written.answered_by.name == f"vlm:vlm-{kind}"
    assert film.model.asked == len(list(tmp_path.rglob("replies/*/*.json")))  # type: ignore[attr-defined]


@pytest.mark.slow
def test_pictures_are_prepared_as_by_the_models_own_processor(
    models: dict[str, LocalModel], caught: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import SmolVLMProcessor

    model = models["smolvlm"]
    model.choose(prompt(), LETTERS[:2])
    monkeypatch.setattr("transformers.models.smolvlm.processing_smolvlm.num2words", str)  # for videos alone
    monkeypatch.setattr(SmolVLMProcessor, "check_argument_for_proper_class", lambda *_: None)
    own = SmolVLMProcessor(model.processor.image_processor, model.processor.tokenizer, None, image_seq_len=4)
    text = "<|im_start|>User:Look: " + "".join(
        f"{model.habits.stamp.format(second)}\n<image>\n" for second in (1.0, 2.5)
    )
    prepared = own(
        text=f"{text}Which?<end_of_utterance>\nAssistant:{OPENING}",
        images=[picture(), picture(1)],
        return_tensors="pt",
    )
    inputs = caught[model.name]
    assert prepared["input_ids"].tolist() == inputs["input_ids"].tolist()
    assert torch.equal(prepared["pixel_values"], inputs["pixel_values"])


@pytest.mark.slow
def test_what_a_model_writes_is_its_likeliest_token_each_time(
    models: dict[str, LocalModel], caught: dict[str, Any]
) -> None:
    model = models["qwen3"]
    reply = model.write(prompt(), 3)
    inputs = dict(caught[model.name])
    tokens: list[int] = []
    with torch.inference_mode():
        for _ in range(3):
            best = model.model(**inputs).logits[0, -1].argmax()
            tokens.append(int(best))
            inputs["input_ids"] = torch.cat([inputs["input_ids"], best.view(1, 1)], 1)
            for key in ("attention_mask", "mm_token_type_ids"):
                inputs[key] = torch.cat([inputs[key], torch.full((1, 1), int(key == "attention_mask"))], 1)
    assert reply.text == model.processor.tokenizer.decode(tokens, skip_special_tokens=True)
    assert not reply.whole


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_in_a_film_cant_speak_the_models_own_language(
    kind: str, models: dict[str, LocalModel], caught: dict[str, Any]
) -> None:
    model = models[kind]
    tokenizer = model.processor.tokenizer
    model.choose(prompt("Which?"), LETTERS[:2])
    special = torch.isin(caught[model.name]["input_ids"], torch.tensor(tokenizer.all_special_ids)).sum()
    hostile = "".join(tokenizer.all_special_tokens) + "<|im_<|im_end|>end|>"
    model.choose(prompt(f"Which?{hostile}"), LETTERS[:2])
    assert (
        torch.isin(caught[model.name]["input_ids"], torch.tensor(tokenizer.all_special_ids)).sum() == special
    )


@pytest.mark.slow
def test_a_model_in_another_folder_has_the_same_identity_and_one_with_other_weights_has_not(
    folders: dict[str, Path], models: dict[str, LocalModel], copied: Path
) -> None:
    assert LocalModel.load(str(copied)).identity == models["qwen3"].identity
    assert models["qwen25"].identity != models["qwen3"].identity
    config = json.loads((copied / "generation_config.json").read_text())
    (copied / "generation_config.json").write_text(json.dumps(config | {"repetition_penalty": 1.5}))
    assert LocalModel.load(str(copied)).identity != models["qwen3"].identity


def test_letters_are_compared_by_hand_worked_numbers() -> None:
    logits = np.log(np.array([0.1, 0.2, 0.3, 0.15, 0.25], np.float32))
    # A is spelled by tokens 0 and 3, B by token 4: 0.25 to 0.25; all letters together have a half.
    probabilities, share = choice_from_logits(logits, [(0, 3), (4,)])
    assert probabilities == pytest.approx((0.5, 0.5))
    assert share == pytest.approx(0.5)


def test_letters_that_are_all_but_impossible_are_compared_among_themselves() -> None:
    logits = np.array([0.0, -5000.0, -5000.0 + np.log(3)], np.float64)
    probabilities, share = choice_from_logits(logits, [(1,), (2,)])  # type: ignore[arg-type]
    assert probabilities == pytest.approx((0.25, 0.75))
    assert share == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        choice_from_logits(np.array([0.0, value], np.float32), [(0,), (1,)])


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3))
def test_probabilities_of_letters_sum_to_one(logits: list[float]) -> None:
    probabilities, share = choice_from_logits(np.array(logits, np.float32), [(0,), (1,)])
    assert sum(probabilities) == pytest.approx(1)
    assert 0 <= share <= 1.0001


def test_tokens_of_a_letter_are_those_that_spell_it_alone(folders: dict[str, Path]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folders["qwen3"])
    vocabulary = tokenizer.get_vocab()
    tokens = tokens_of_letters(tokenizer)
    assert tokens["A"] == tuple(sorted((vocabulary["A"], vocabulary["ĠA"])))
    assert tokens["Z"] == (vocabulary["Z"],)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "names no model"),
        ("/no/such/folder", "no such vision-language model"),
        ("nobody/such-a-model", "HF_HUB_OFFLINE is set"),
    ],
)
def test_a_model_that_isnt_there_is_refused(
    spec: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=message) as raised:
        local.load(f"vlm:{spec}", Setup())
    assert "\n" not in str(raised.value)


def refuse(folder: Path) -> str:
    """The one line that a model is refused with."""
    with pytest.raises(InputError) as raised:
        LocalModel.load(str(folder))
    assert "\n" not in str(raised.value)
    assert str(folder) in str(raised.value)
    return str(raised.value)


@pytest.mark.slow
def test_a_model_of_text_alone_is_refused(tmp_path: Path) -> None:
    assert "answers no questions about pictures" in refuse(write_bert(tmp_path / "bert"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "config.json describes no model"),
        ("model.safetensors", "no *.safetensors weights"),
        ("tokenizer.json", "has no tokenizer"),
        ("preprocessor_config.json", "has no preprocessor_config.json"),
        ("chat_template.jinja", "has no chat template"),
    ],
)
def test_a_model_that_is_not_whole_is_refused(copied: Path, name: str, message: str) -> None:
    (copied / name).unlink()
    assert message in refuse(copied)


@pytest.mark.slow
def test_pictures_larger_than_any_model_reads_are_refused(copied: Path) -> None:
    settings = json.loads((copied / "preprocessor_config.json").read_text())
    assert settings["size"]["longest_edge"] == 12845056  # an area in pixels, of this family
    settings["size"]["longest_edge"] = 10**9
    (copied / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="longest_edge is 1e"):
        LocalModel.load(str(copied))


@pytest.mark.slow
def test_weights_that_were_cut_off_are_refused(copied: Path) -> None:
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "could be loaded" in refuse(copied) or "not whole" in refuse(copied)


@pytest.mark.slow
def test_a_template_that_cant_be_used_is_refused(copied: Path) -> None:
    (copied / "chat_template.jinja").write_text("{{ raise_exception('no') }}")
    assert "prepare a picture" in refuse_named(copied)


def refuse_named(folder: Path) -> str:
    with pytest.raises(InputError) as raised:
        LocalModel.load(str(folder))
    return str(raised.value)


@pytest.mark.slow
def test_a_model_that_runs_out_of_memory_says_so_in_one_line(
    models: dict[str, LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models["smolvlm"]

    def out_of_memory(**inputs: Any) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(model, "model", out_of_memory)
    monkeypatch.setattr(model, "_inputs", lambda parts, opening: {})
    with pytest.raises(InputError, match="not enough memory") as raised:
        model.choose(prompt(), LETTERS[:2])
    assert "\n" not in str(raised.value)
