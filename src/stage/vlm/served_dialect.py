"""What a server understands of OpenAI's interface: requests are put in other words where one is refused"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2

from stage.errors import InputError
from stage.types import Image
from stage.vlm.chat import Frame, Part
from stage.vlm.client import RefusedError

TOP = (20, 5, 0)
"""How many of the likeliest tokens are asked for: OpenAI's limit, a lower one of others, none at all."""
JPEG_QUALITY = 90
FEWEST_LINES = 4
"""Of a text that is shortened."""
REFUSALS = frozenset((400, 404, 413, 415, 422, 500, 501))
"""States of HTTP that may be about the request's content; 500 is what some give for what they did not expect."""
CONTROL = re.compile(r"<(?=[^\s<>]{0,40}>)|\[(?=/?[A-Z_]{2,40}\])")
"""Where a token of a model's language may begin: "<|im_end|>", "</s>", "[INST]"."""
TOO_LONG = re.compile(r"context|too (long|large|many)|maximum|exceed|at most|n_ctx|limit", re.IGNORECASE)


@dataclass(slots=True)
class Dialect:
    """What a server understands; found out as it refuses requests, and kept for the next ones."""

    top: int = TOP[0]
    """The most likely tokens that it lists; 0 for none."""
    limit: str = "max_tokens"
    """What the most tokens of a reply are called."""
    temperature: bool = True
    template: bool = True
    """Whether it can be told not to let the model think aloud first."""
    opening: bool | None = None
    """Whether letters are likelier where the model's reply is begun; None as long as that isn't known."""

    def body(
        self, model: str, messages: list[dict[str, Any]], most_tokens: int, likely: bool
    ) -> dict[str, Any]:
        """A request. likely: the likeliest tokens are needed, with their probabilities."""
        body: dict[str, Any] = {
            "model": model,
            "messages": messages,
            self.limit: most_tokens,
            "stream": False,
        }
        if self.temperature:
            body["temperature"] = 0
        if self.template:
            body["chat_template_kwargs"] = {"enable_thinking": False}
        if likely and self.top:
            body |= {"logprobs": True, "top_logprobs": self.top}
        if messages[-1]["role"] == "assistant":
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return body

    def learn(self, refusal: RefusedError, body: dict[str, Any]) -> bool:
        """Change what a refused request may have been refused for; False if nothing is left to change.

        Where the server does not say what it was, the less that is asked for the better.
        """
        reason = refusal.reason.lower()
        if refusal.status not in REFUSALS:
            return False
        if "max_completion_tokens" in reason and self.limit == "max_tokens":
            self.limit = "max_completion_tokens"
        elif "logprobs" in body and re.search("logprob|logits", reason):
            self.top = next(top for top in TOP if top < self.top)
        elif "temperature" in body and "temperature" in reason:
            self.temperature = False
        elif "chat_template_kwargs" in body and re.search("template|thinking", reason):
            self.template = False
        elif TOO_LONG.search(reason) or refusal.status in {404, 413} or "continue_final_message" in body:
            return False
        elif "chat_template_kwargs" in body:
            self.template = False
        elif "logprobs" in body:
            self.top = next(top for top in TOP if top < self.top)
        else:
            return False
        return True


def messages_of(parts: Sequence[Part], stamp: str, opening: str = "") -> list[dict[str, Any]]:
    """A prompt as messages: a plain text if it has no frames, as some servers know nothing else.

    stamp: what is written before a frame, see `Habits`. opening: how the reply begins.
    """
    content: list[dict[str, Any]] = []
    for part in parts:
        text = stamp.format(part.second) + "\n" if isinstance(part, Frame) else plain(part)
        if content and content[-1]["type"] == "text":
            content[-1]["text"] += text
        else:
            content.append({"type": "text", "text": text})
        if isinstance(part, Frame):
            content += [
                {"type": "image_url", "image_url": {"url": data_uri(part.image)}},
                {"type": "text", "text": "\n"},
            ]
    only_text = len(content) == 1 and content[0]["type"] == "text"
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": content[0]["text"] if only_text else content}
    ]
    return [*messages, {"role": "assistant", "content": opening}] if opening else messages


def plain(text: str) -> str:
    """A text of somebody else's without what servers read as tokens of a model's own language, such as <|im_end|>."""
    return CONTROL.sub(r"\g<0> ", text)


def data_uri(image: Image) -> str:
    """An image, (height, width, 3) RGB, as a JPEG in a data URI."""
    done, jpeg = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
    )
    assert done
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def is_too_long(refusal: InputError) -> bool:
    """Whether a request was refused since it has too many frames or too much text."""
    return isinstance(refusal, RefusedError) and (
        refusal.status == 413 or (refusal.status in REFUSALS and TOO_LONG.search(refusal.reason) is not None)
    )


def shortened(parts: Sequence[Part]) -> list[Part] | None:
    """A prompt with every second frame, or with every second line of its longest text if it has one frame at most.

    The last part, which asks the question, stays whole. None if nothing is left to leave out.
    """
    frames = [i for i, part in enumerate(parts) if isinstance(part, Frame)]
    if len(frames) > 1:
        dropped = set(frames[1::2])
        return [part for i, part in enumerate(parts) if i not in dropped]
    texts = [(len(part), i) for i, part in enumerate(parts[:-1]) if isinstance(part, str)]
    _, place = max(texts, default=(0, 0))
    lines = str(parts[place]).splitlines(keepends=True) if texts else []
    if len(lines) < FEWEST_LINES:
        return None
    return [*parts[:place], "".join(lines[::2]), *parts[place + 1 :]]
