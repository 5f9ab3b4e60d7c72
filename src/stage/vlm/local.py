"""`vlm:`: vision-language models of transformers on this machine, as answerers"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch

from stage.errors import InputError
from stage.features.pretrained import load_weights, loading, one_line
from stage.inference.answerer import Answerer, Setup
from stage.runtime.hardware import best_device, bfloat16_is_fast
from stage.vlm.answerer import VlmAnswerer
from stage.vlm.chat import Choice, Frame, Habits, Limits, Part, Reply
from stage.vlm.habits import habits_of
from stage.vlm.letters import LEAST, OPENING, choice_from_logits, tokens_of_letters
from stage.vlm.model_files import WHAT, find_model, identity_of
from stage.vlm.processor import load_processor
from stage.wording import percentage

PREFIX = "vlm:"
NO_THOUGHTS = "\n</think>\n\n"
"""Ends the thoughts that some models' templates begin."""
MOST_FRAMES = Limits().frames
SHARE_OF_FRAMES, SHARE_OF_SUBTITLES = 0.6, 0.2
"""Of the positions that a model has: for frames, and for subtitles, whose words have CHARACTERS_PER_TOKEN."""
CHARACTERS_PER_TOKEN = 3
GREY = 127


def load(spec: str | Path, setup: Setup) -> Answerer:
    """The answerer "vlm:HUB_NAME_OR_FOLDER". Raises InputError if there is no such model, or it is incomplete."""
    return VlmAnswerer(LocalModel.load(str(spec).removeprefix(PREFIX)), setup)


class LocalModel:
    """A model of transformers for images and text, with its processor, as a `ChatModel`."""

    def __init__(self, model: Any, processor: Any, name: str, identity: str, habits: Habits) -> None:
        """Raises InputError if they don't fit one another."""
        self.device = best_device()
        self.processor, self._name, self._identity, self._habits = processor, name, identity, habits
        with self._running("be put into memory"):
            self.model = model.eval().to(self.device)
        self._keep = (
            {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
        )
        text = model.config.get_text_config()
        self._positions = int(getattr(text, "max_position_embeddings", None) or 2048)
        self._words = int(text.vocab_size)
        self._letters = tokens_of_letters(processor.tokenizer)
        self._limits = self._measured()

    @classmethod
    def load(cls, spec: str) -> LocalModel:
        """Load a model from a folder, or by its hub name. No code that comes with a model is run.

        In bfloat16 where the device is fast in it, else in float32. Raises InputError if there is no such model, it
        can't be downloaded, is incomplete, doesn't understand pictures, or doesn't fit into memory.
        """
        folder = find_model(spec)
        from transformers import AutoModelForImageTextToText
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

        dtype = torch.bfloat16 if bfloat16_is_fast(best_device()) else torch.float32
        source = str(folder)
        try:
            with loading(source, WHAT, local=True) as config:
                if (kind := config.model_type) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
                    raise InputError(
                        f"{spec}: is a model of the kind {kind!r}, which answers no questions about pictures; "
                        "use a vision-language model, such as Qwen3-VL or SmolVLM"
                    )
                processor = load_processor(source, kind)
                model = load_weights(AutoModelForImageTextToText, source, local=True, dtype=dtype)
        except (torch.OutOfMemoryError, MemoryError):
            raise InputError(_no_room(spec, "be loaded")) from None
        short = spec if folder != Path(spec) else folder.resolve().name
        return cls(model, processor, PREFIX + short, identity_of(folder, str(dtype)), habits_of(short, kind))

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> str:
        """As in `ChatModel`."""
        return self._identity

    @property
    def limits(self) -> Limits:
        """As in `ChatModel`: what there is room for among the model's positions."""
        return self._limits

    @property
    def habits(self) -> Habits:
        """As in `ChatModel`."""
        return self._habits

    @property
    def notes(self) -> tuple[str, ...]:
        """As in `ChatModel`: none."""
        return ()

    @torch.inference_mode()
    def choose(self, parts: Sequence[Part], letters: Sequence[str]) -> Choice:
        """As in `ChatModel`: from one pass over the prompt, which ends in "Answer: (".

        The probability of a letter is that of all tokens that spell it, with and without a space before it.
        """
        tokens = [self._letters[letter] for letter in letters]
        if missing := [letter for letter, ids in zip(letters, tokens, strict=True) if not ids]:
            raise InputError(
                f"{self.name}: its tokenizer has no token of the letter {missing[0]}; use another one"
            )
        with self._running("read a prompt"):
            logits = (
                self.model(**self._inputs(parts, OPENING), **self._keep).logits[0, -1].float().cpu().numpy()
            )
        with one_line(f"{self.name}: gives no letter a probability; get its weights again"):
            probabilities, share = choice_from_logits(logits, tokens)
        notes: tuple[str, ...] = ()
        if share < LEAST:
            notes = (
                f"the model gave all letters together less than {percentage(LEAST)} for some prompts: it may "
                "not have understood that it should write one",
            )
        return Choice(probabilities, notes=notes)

    @torch.inference_mode()
    def write(self, parts: Sequence[Part], most_tokens: int) -> Reply:
        """As in `ChatModel`."""
        with self._running("write a reply"):
            inputs = self._inputs(parts, "")
            written = self.model.generate(
                **inputs,
                max_new_tokens=most_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
            )
            new = written[0, inputs["input_ids"].shape[1] :]
            text = self.processor.tokenizer.decode(new, skip_special_tokens=True)
        return Reply(text, whole=len(new) < most_tokens)

    def _inputs(self, parts: Sequence[Part], opening: str) -> dict[str, Any]:
        """The tensors of a prompt that ends in the beginning of the model's reply."""
        content: list[dict[str, str]] = []
        pictures = []
        for part in parts:
            if isinstance(part, Frame):
                content += [
                    {"type": "text", "text": self.habits.stamp.format(part.second) + "\n"},
                    {"type": "image"},
                ]
                content.append({"type": "text", "text": "\n"})
                pictures.append(PIL.Image.fromarray(part.image))
            else:
                content.append({"type": "text", "text": self._plain(part)})
        prompt = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        if prompt.rstrip().endswith("<think>"):
            prompt = prompt.rstrip() + NO_THOUGHTS
        start = self.processor.tokenizer.bos_token  # most tokenizers would add it once more
        settings: dict[str, Any] = {"add_special_tokens": not (start and prompt.startswith(start))}
        if pictures:
            settings["images"] = pictures
        inputs = dict(self.processor(text=prompt + opening, return_tensors="pt", **settings))
        ids = inputs["input_ids"]
        if ids.shape[1] >= self._positions:
            raise InputError(
                f"{self.name}: reads {self._positions} tokens, and the prompt has {ids.shape[1]}; ask a shorter "
                "question"
            )
        if int(ids.max()) >= self._words:
            raise ValueError("its tokenizer has words that the model has no embeddings of")
        return {
            key: value.to(self.device, self.model.dtype if value.is_floating_point() else None)
            for key, value in inputs.items()
        }

    def _plain(self, text: str) -> str:
        """A text of somebody else's in which no token of the model's own language is left, such as <|im_end|>."""
        tokenizer = self.processor.tokenizer
        tokens = {*tokenizer.all_special_tokens, *tokenizer.added_tokens_encoder}
        for token in sorted(tokens, key=lambda token: (-len(token), token)):
            if len(token) > 2 and not token.isspace():
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _measured(self) -> Limits:
        """How many frames and subtitles there is room for. Raises InputError if there is none for a single frame."""
        side = Limits().longest_side
        frame = Frame(np.full((side, side, 3), GREY, np.uint8), 0.0)
        with self._running("prepare a picture"):
            one, two = (self._inputs([frame] * count, "")["input_ids"].shape[1] for count in (1, 2))
        frames = min(MOST_FRAMES, int(SHARE_OF_FRAMES * self._positions) // max(1, two - one))
        if not frames:
            raise InputError(
                f"{self.name}: reads {self._positions} tokens, and a frame has {two - one}; use another model"
            )
        characters = int(SHARE_OF_SUBTITLES * self._positions * CHARACTERS_PER_TOKEN)
        return Limits(frames, side, min(Limits().characters, characters))

    @contextmanager
    def _running(self, what: str) -> Iterator[None]:
        """Within, what goes wrong becomes one line."""
        try:
            with one_line(f"{self.name}: can't {what}"):
                yield
        except torch.OutOfMemoryError:
            raise InputError(_no_room(self.name, what)) from None
        except InputError as error:
            if "alloc" in str(error).lower() and "memory" in str(error).lower():  # of the CPU, a RuntimeError
                raise InputError(_no_room(self.name, what)) from None
            raise


def _no_room(name: str, what: str) -> str:
    return (
        f"{name}: there is not enough memory for it to {what}; use a smaller model, or another device "
        "(CUDA_VISIBLE_DEVICES= for the CPU)"
    )
