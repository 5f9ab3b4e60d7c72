"""Models on servers with OpenAI's interface: letters with probabilities where they are served, and text"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stage.terminal import printable
from stage.vlm.chat import Choice, Frame, Habits, Limits, Part, Reply
from stage.vlm.client import Client, Patience, RefusedError
from stage.vlm.habits import habits_of
from stage.vlm.letters import LEAST, OPENING
from stage.vlm.replies import MOST_CHARACTERS
from stage.vlm.reply_letters import letter_in
from stage.vlm.served_address import PREFIX, key_for, parse_address
from stage.vlm.served_dialect import REFUSALS, Dialect, is_too_long, messages_of, shortened
from stage.vlm.served_letters import MOST_OPENING, choice_from_tokens
from stage.vlm.served_models import Server, find_server
from stage.vlm.served_wire import Completion, read_reply
from stage.wording import counted

LETTER_TOKENS = MOST_OPENING + 1
EXPLAINED_TOKENS = 128
"""Of a reply in which a letter is looked for."""
GREETING = "Reply with OK."
GREY, PICTURE = 127, (252, 448, 3)
LEAST_PICTURE_TOKENS = 4
"""That a picture adds to a prompt at least; a name of a picture alone has fewer."""
SHARE_OF_FRAMES, SHARE_OF_SUBTITLES, CHARACTERS_PER_TOKEN = 0.6, 0.2, 3
"""Of the tokens that a model reads, where the server says how many."""
MOST_CHARACTERS_PER_TOKEN = 12
"""If a long prompt has more of them, the server has cut it off."""


class ServedModel:
    """A model on a server, as a `ChatModel`."""

    def __init__(self, client: Client, server: Server) -> None:
        """Asks the model twice for a word, to see whether it replies, and whether it sees pictures.

        Raises InputError if it does not reply.
        """
        self._client, self._server = client, server
        self._url = f"{server.root}/chat/completions"
        self._name = f"{PREFIX}{client.address.url}#{printable(server.model.id)}"
        self._habits = habits_of(server.model.id, server.model.root or "")
        self._dialect = Dialect()
        self._limits = Limits()
        self._notes: tuple[str, ...] = ()
        if client.key.value and not (client.address.is_encrypted or client.address.is_local):
            self._notes += (
                f"{client.address.url}: the key is sent without encryption; use https where there is",
            )
        self._limits = self._measured()

    @classmethod
    def connect(cls, spec: str, patience: Patience | None = None) -> ServedModel:
        """The model openai:URL#MODEL, or the server's only one for openai:URL.

        patience: by default as the environment says. Raises InputError if no such server can be reached, or it
        has no such model.
        """
        address = parse_address(spec)
        client = Client(address, key_for(address), patience or Patience.from_environment())
        return cls(client, find_server(client))

    @property
    def name(self) -> str:
        """As in `ChatModel`: with the address and the model's name."""
        return self._name

    @property
    def identity(self) -> str:
        """As in `ChatModel`: what the server calls the model is all that is known."""
        return f"{self._name} {self._server.model.root or ''}".strip()

    @property
    def limits(self) -> Limits:
        """As in `ChatModel`; they shrink if the server refuses a prompt as too long."""
        return self._limits

    @property
    def habits(self) -> Habits:
        """As in `ChatModel`: by the model's name."""
        return self._habits

    @property
    def notes(self) -> tuple[str, ...]:
        """As in `ChatModel`."""
        return self._notes

    def choose(self, parts: Sequence[Part], letters: Sequence[str]) -> Choice:
        """As in `ChatModel`.

        With the probabilities of the likeliest tokens, where the server lists them and a letter is among them. If the
        model would rather write something else than a letter, its reply is begun with "Answer: (", on servers that
        can do so. Without probabilities the letter is read in the reply's text.
        """
        best: Choice | None = None
        most, text = 0.0, ""
        notes: tuple[str, ...] = ()
        for opening in (OPENING, "") if self._dialect.opening else ("", OPENING):
            if opening and (not self._dialect.top or self._dialect.opening is False):
                continue
            try:
                completion, notes = self._ask(parts, LETTER_TOKENS, likely=True, opening=opening)
            except RefusedError:
                if not opening:
                    raise
                self._dialect.opening = False
                continue
            choice, share = choice_from_tokens(completion.tokens, letters, self.name)
            if choice and share > most:
                best, most = replace(choice, notes=(*notes, *choice.notes)), share
            if opening:
                self._dialect.opening = choice is not None
            else:
                text = completion.choices[0].message.text
            if most >= LEAST:
                break
            if text and not completion.tokens:  # some servers leave out what they don't know, without a word
                self._dialect.top = 0
        return best or self._letter(parts, letters, text, notes)

    def write(self, parts: Sequence[Part], most_tokens: int) -> Reply:
        """As in `ChatModel`."""
        completion, notes = self._ask(parts, most_tokens)
        first = completion.choices[0]
        text = first.message.text[: 4 * MOST_CHARACTERS]
        if not text.strip():
            notes = (*notes, f"{self.name} replied nothing")
        return Reply(text, first.finish_reason != "length", notes)

    def _letter(
        self, parts: Sequence[Part], letters: Sequence[str], text: str, notes: tuple[str, ...]
    ) -> Choice:
        """The letter in a reply's text, or in a longer reply if that one has none."""
        why = (
            "none of its likeliest tokens is a letter"
            if self._dialect.top
            else "the server lists no likely tokens"
        )
        unknown = f"{self.name}: {why}, so how sure it is isn't known; the letter is read in its reply"
        letter, _ = letter_in(text, letters)
        if letter is not None:
            return Choice(letter=letter, notes=(*notes, unknown))
        reply = self.write(parts, EXPLAINED_TOKENS)
        letter, problems = letter_in(reply.text, letters)
        return Choice(letter=letter, notes=(*notes, *reply.notes, unknown, *problems))

    def _ask(
        self, parts: Sequence[Part], most_tokens: int, *, likely: bool = False, opening: str = ""
    ) -> tuple[Completion, tuple[str, ...]]:
        """The reply to a prompt, and notes on what had to be left out of it.

        What the server refuses is asked for in other words, and a prompt that is too long is shortened. Raises
        InputError if nothing helps.
        """
        kept, before = list(parts), replace(self._dialect)
        while True:
            messages = messages_of(kept, self._habits.stamp, opening)
            body = self._dialect.body(self._server.model.id, messages, most_tokens, likely)
            try:
                completion = read_reply(Completion, self._client.post(self._url, body), self._url)
                return completion, self._left_out(parts, kept) + _cut_off(body, completion, self.name)
            except RefusedError as refusal:
                if self._dialect.learn(refusal, body):
                    continue
                shorter = shortened(kept) if is_too_long(refusal) else None
                if shorter is None:
                    self._dialect = before
                    raise
                kept = shorter

    def _left_out(self, parts: Sequence[Part], kept: Sequence[Part]) -> tuple[str, ...]:
        """Notes on a prompt that was shortened, which the next ones shall not need."""
        frames, left = (sum(isinstance(part, Frame) for part in given) for given in (parts, kept))
        text, rest = (sum(len(part) for part in given if isinstance(part, str)) for given in (parts, kept))
        notes = []
        if left < frames:
            self._limits = replace(self._limits, frames=min(self._limits.frames, left))
            notes.append(
                f"{self.name}: takes {counted(left, 'frame')} at once; {frames - left} of {frames} left out"
            )
        if rest < text:
            share = rest / text
            self._limits = replace(self._limits, characters=int(self._limits.characters * share))
            notes.append(f"{self.name}: the prompt was too long; {1 - share:.0%} of its text left out")
        return tuple(notes)

    def _measured(self) -> Limits:
        """What a prompt may hold, by asking with a picture and without one."""
        frame = Frame(np.full(PICTURE, GREY, np.uint8), 0.0)
        described = self._habits.stamp.format(0.0) + "\n"
        try:
            plain = self._ask([described, "\n", GREETING], 1)[0].prompt_tokens
        except RefusedError as refusal:
            raise self._server.explained(refusal) from None
        try:
            pictured = self._ask([frame, GREETING], 1)[0].prompt_tokens
        except RefusedError as refusal:
            if refusal.status not in REFUSALS:
                raise
            return self._without_pictures(f"the server refuses them: {refusal.reason or refusal.status}")
        limits = self._with_room(Limits(), SHARE_OF_SUBTITLES)
        if plain is None or pictured is None:
            self._notes += (
                f"{self.name}: the server doesn't say whether its model sees the pictures that it gets",
            )
            return limits
        each = pictured - plain
        if each < LEAST_PICTURE_TOKENS:
            return self._without_pictures("the server leaves them out")
        if room := self._server.model.room:
            limits = replace(limits, frames=max(1, min(limits.frames, int(SHARE_OF_FRAMES * room) // each)))
        return limits

    def _without_pictures(self, why: str) -> Limits:
        self._notes += (f"{self.name}: takes no pictures: {why}",)
        return self._with_room(Limits(frames=0), SHARE_OF_FRAMES + SHARE_OF_SUBTITLES)

    def _with_room(self, limits: Limits, share: float) -> Limits:
        """Limits with as many characters as fit into a share of the tokens that the model reads, if that is known."""
        most = int(share * self._server.model.room * CHARACTERS_PER_TOKEN)
        return replace(limits, characters=min(limits.characters, most)) if most else limits


def _cut_off(body: dict[str, Any], completion: Completion, name: str) -> tuple[str, ...]:
    """A note if the server can't have read the whole prompt."""
    tokens = completion.prompt_tokens
    content = body["messages"][0]["content"]
    texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    length = sum(map(len, texts))
    if tokens is None or length <= MOST_CHARACTERS_PER_TOKEN * tokens:
        return ()
    return (
        f"{name}: the server read {counted(tokens, 'token')} of a prompt of {counted(length, 'character')}; let it "
        "read more (with Ollama: num_ctx)",
    )
