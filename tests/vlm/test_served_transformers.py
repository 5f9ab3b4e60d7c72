"""`transformers serve` with a tiny vision-language model: a real server, asked about pictures."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from samples.served import running
from samples.servers import free_port

NEEDED = ("accelerate", "fastapi", "openai", "uvicorn")
START = 300.0
"""Seconds that the server may take to load the model."""
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: "
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}</s>"
    "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]


def write_llava(folder: Path) -> Path:
    """A LLaVA with random weights, which needs no package for videos. A picture has 16 tokens."""
    import torch
    import transformers

    from samples.vlm_models import TEXT, byte_tokenizer

    tokenizer = byte_tokenizer(("<image>", "</s>"), "</s>", TEMPLATE)
    end, image = tokenizer.convert_tokens_to_ids(["</s>", "<image>"])
    vision = {
        "model_type": "clip_vision_model", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": 32, "patch_size": 8, "projection_dim": 16,
    }  # fmt: skip
    ends = {"vocab_size": len(tokenizer), "eos_token_id": end, "pad_token_id": end, "bos_token_id": None}
    text = TEXT | {"model_type": "llama"} | ends
    config = transformers.LlavaConfig(vision_config=vision, text_config=text, image_token_index=image)
    torch.manual_seed(0)
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    images = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, do_center_crop=True
    )
    transformers.LlavaProcessor(
        images, tokenizer, patch_size=8, vision_feature_select_strategy="default", chat_template=TEMPLATE,
        image_token="<image>", num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """openai:URL#MODEL of a server that runs."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        pytest.skip(f"{', '.join(missing)}: not installed, which `transformers serve` needs")
    folder = tmp_path_factory.mktemp("served")
    model, port = write_llava(folder / "model"), free_port()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model), "--device", "cpu"]
    spec = f"openai:http://localhost:{port}/v1#{model}"
    with running([*command, "--port", str(port)], folder / "log", spec, START, HF_HUB_OFFLINE="1"):
        yield spec


def test_its_model_is_known_to_see_pictures(server: str) -> None:
    from stage.vlm.chat import Limits
    from stage.vlm.served_model import ServedModel

    model = ServedModel.connect(server)
    assert model.limits == Limits()
    assert not model.notes


def test_a_letter_is_asked_for_without_probabilities_which_this_server_refuses(server: str) -> None:
    from stage.vlm.chat import Frame
    from stage.vlm.served_model import ServedModel

    model = ServedModel.connect(server)
    frame = Frame(np.full((48, 64, 3), 200, np.uint8), 1.5)
    choice = model.choose([frame, "Which? (A) yes (B) no"], ("A", "B"))
    assert choice.probabilities is None
    assert any("the server lists no likely tokens" in note for note in choice.notes)


def test_pictures_reach_the_model(server: str) -> None:
    from stage.vlm.chat import Frame
    from stage.vlm.served_model import ServedModel

    model = ServedModel.connect(server)
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    pictures = [np.zeros_like(noise), np.full_like(noise, 255), noise]
    replies = [model.write([Frame(picture, 1.0), "What?"], 40).text for picture in pictures]
    assert all(replies)
    assert len(set(replies)) > 1


def test_a_film_is_asked_about(server: str, spoken_film: Path, tmp_path: Path) -> None:
    from stage.inference.answerer import Answerer

    film = Answerer.from_pretrained(server).open(spoken_film, spoken_film.with_suffix(".srt"), cache=tmp_path)
    evidence = film.ask("Who is here ?", ["Mia", "Ben", "nobody"])
    assert evidence.answer in {"Mia", "Ben", "nobody"}
    assert sum(evidence.prediction.probabilities) == pytest.approx(1)
    assert evidence.moments
    assert any("without probabilities" in note for note in evidence.notes)
    start, end = evidence.prediction.span
    assert 0 <= start <= end <= film.clip.duration
