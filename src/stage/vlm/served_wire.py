"""Replies of OpenAI's interface: the part of their JSON that is read, checked"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stage.errors import InputError
from stage.vlm.served_errors import short

LONGEST_NAME = 300
MOST_MODELS = 10_000


class _Part(BaseModel):
    """Of a reply; other keys are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Model(_Part):
    """A model of a server."""

    id: str = Field(max_length=LONGEST_NAME)
    root: str | None = None
    """The model that it is, as vLLM says."""
    max_model_len: Any = None
    meta: Any = None

    @property
    def room(self) -> int:
        """Tokens of prompt and reply together, as vLLM or llama.cpp say; 0 if the server doesn't."""
        said = self.meta.get("n_ctx") if isinstance(self.meta, dict) else self.max_model_len
        return said if isinstance(said, int) and said > 0 else 0


class Models(_Part):
    """The reply about the models of a server."""

    data: tuple[Model, ...] = Field(max_length=MOST_MODELS)


class Likely(_Part):
    """A token, and the logarithm of its probability."""

    token: str
    logprob: float


class Written(Likely):
    """A token that was written, and the likeliest that could have been."""

    top_logprobs: tuple[Likely, ...] = ()


class Likelihoods(_Part):
    """The tokens of a reply."""

    content: tuple[Written, ...]


class Piece(_Part):
    """Of a text that is given in pieces."""

    text: str = ""


class Message(_Part):
    """What a model wrote."""

    content: str | tuple[Piece, ...] | None = None
    refusal: str | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        if isinstance(self.content, tuple):
            return "".join(piece.text for piece in self.content)
        return self.content or ""


class Alternative(_Part):
    """One reply to a prompt."""

    message: Message
    finish_reason: str | None = None
    logprobs: Any = None
    """See `likelihoods`: a reply can be used without them."""


class Completion(_Part):
    """The replies to a prompt."""

    choices: tuple[Alternative, ...] = Field(min_length=1)
    usage: Any = None

    @property
    def prompt_tokens(self) -> int | None:
        """Of the prompt with its pictures; None if the server doesn't say."""
        tokens = self.usage.get("prompt_tokens") if isinstance(self.usage, dict) else None
        return tokens if isinstance(tokens, int) and tokens > 0 else None

    @property
    def tokens(self) -> tuple[Written, ...]:
        """The tokens of the first reply with their probabilities; none if they aren't there, or make no sense."""
        try:
            return Likelihoods.model_validate(self.choices[0].logprobs).content
        except ValidationError:
            return ()


Reply = TypeVar("Reply", bound=_Part)


def read_reply(kind: type[Reply], content: bytes, url: str) -> Reply:
    """A reply of a kind. Raises InputError if it is none: no JSON, or without what has to be in it."""
    text = content.decode("utf-8", "replace")
    try:
        # Half characters, which no text may hold, become question marks.
        clean = json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        what = "a web page" if text.lstrip()[:1] == "<" else "no JSON" if text.strip() else "nothing"
        raise InputError(
            f"{url}: replies {what} where a reply in JSON is due; give the address of the interface like OpenAI's, "
            "which usually ends in /v1"
        ) from None
    try:
        return kind.model_validate_json(clean)
    except ValidationError as error:
        first = error.errors()[0]
        problem = short(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        raise InputError(
            f"{url}: replies JSON that is not like OpenAI's ({problem}); "
            "give the address of a server with that interface, which usually ends in /v1"
        ) from None
