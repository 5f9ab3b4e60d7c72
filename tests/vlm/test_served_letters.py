"""Letters of served models: their probabilities where a server lists tokens, else the letter in the text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from samples.served import LETTERS, LOG, chosen, connect
from samples.servers import Answer, Asked, Polite, completion, error, likely, serving
from stage.vlm.chat import Choice


def test_letters_have_the_probabilities_of_all_tokens_that_spell_them() -> None:
    # A: 0.4 + 0.1, B: 0.2, C: 0.1; the least of the listed has 0.05, so D and E have (1 - 0.9) / 2 = 0.05 at most.
    listed = likely(
        ("A", LOG(0.4)),
        (" B", LOG(0.2)),
        ("(A", LOG(0.1)),
        ("C)", LOG(0.1)),
        ("The", LOG(0.05)),
        ("a", LOG(0.05)),
    )
    choice = chosen(lambda asked: completion("A", listed))
    assert choice.probabilities == pytest.approx([0.5 / 0.9, 0.2 / 0.9, 0.1 / 0.9, 0.05 / 0.9, 0.05 / 0.9])
    assert choice.letter is None
    assert not choice.notes


def test_letters_that_are_not_listed_are_no_likelier_than_the_least_that_is() -> None:
    listed = likely(("B", LOG(0.5)), ("A", LOG(0.01)))
    choice = chosen(lambda asked: completion("B", listed))
    assert choice.probabilities == pytest.approx(
        [0.01 / 0.54, 0.5 / 0.54, 0.01 / 0.54, 0.01 / 0.54, 0.01 / 0.54]
    )


def test_letters_are_looked_for_where_the_first_word_is() -> None:
    opening = likely(("**", LOG(0.9)), ("A", LOG(0.05)))
    letter = likely(("C", LOG(0.8)), ("D", LOG(0.2)), ("E", -60.0), ("A", -60.0), ("B", -60.0))
    choice = chosen(lambda asked: completion("**C**", opening, letter, likely(("**", 0.0))))
    assert choice.probabilities == pytest.approx([0, 0, 0.8, 0.2, 0], abs=1e-6)


def test_letters_of_little_probability_are_said_to_be_so() -> None:
    listed = likely(("Well", LOG(0.9)), ("B", LOG(0.05)), ("A", LOG(0.01)))
    choice = chosen(lambda asked: completion("Well", listed))
    assert choice.probabilities is not None
    assert np.argmax(choice.probabilities) == 1
    assert "would write something else than a letter (all letters together have 6 %)" in choice.notes[0]


def test_where_no_likely_token_is_a_letter_the_reply_is_begun_for_the_model() -> None:
    def reply(asked: Asked) -> Answer:
        if asked.body["messages"][-1]["role"] == "assistant":
            return completion(
                "B", likely(("B", LOG(0.7)), ("A", LOG(0.3)), ("C", -50.0), ("D", -50.0), ("E", -50.0))
            )
        return completion("Well", likely(("Well", LOG(0.9)), ("So", LOG(0.1))))

    with serving(Polite(reply)) as server:
        model = connect(server.url)
        before = len(server.chats)
        for _ in range(2):
            assert model.choose(["Which?"], LETTERS).probabilities == pytest.approx(
                [0.3, 0.7, 0, 0, 0], abs=1e-6
            )
    asked = [chat.body for chat in server.chats[before:]]
    assert [len(body["messages"]) for body in asked] == [1, 2, 2]  # the second time at once
    assert asked[1]["messages"][1] == {"role": "assistant", "content": "Answer: ("}
    assert (asked[1]["continue_final_message"], asked[1]["add_generation_prompt"]) == (True, False)


def test_where_no_likely_token_is_a_letter_at_all_it_is_read_in_the_text_and_no_probability_is_made_up() -> (
    None
):
    def reply(asked: Asked) -> Answer:
        text = "The answer is (D)." if asked.body["max_tokens"] > 20 else "The answer is"
        return completion(text, likely(("The", LOG(0.9)), ("Well", LOG(0.1))))

    choice = chosen(reply)
    assert choice.probabilities is None
    assert choice.letter == 3
    assert "none of its likeliest tokens is a letter" in choice.notes[0]


@pytest.mark.parametrize(
    "refuse", [error(400, "add_generation_prompt: extra"), error(422, "bad request"), None]
)
def test_a_server_that_can_not_begin_a_reply_is_not_asked_to_again(refuse: Answer | None) -> None:
    def reply(asked: Asked) -> Answer:
        if asked.body["messages"][-1]["role"] == "assistant" and refuse:
            return refuse
        return completion("I choose B", likely(("I", LOG(0.9)), ("The", LOG(0.1))))

    with serving(Polite(reply)) as server:
        model = connect(server.url)
        before = len(server.chats)
        choices = [model.choose(["Which?"], LETTERS) for _ in range(2)]
    assert [choice.letter for choice in choices] == [1, 1]
    assert [len(chat.body["messages"]) for chat in server.chats[before:]] == [1, 2, 1]
    assert all(chat.body["top_logprobs"] == 20 for chat in server.chats[before:])


@pytest.mark.parametrize(
    "refuse",
    [
        error(400, "logprobs is not supported"),
        error(422, "Unsupported fields in the request: {'top_logprobs', 'logprobs'}"),
        error(500, "logprobs is not supported for models created with logits_all=False"),
        error(400, "bad request"),
    ],
)
def test_a_server_that_refuses_probabilities_is_asked_without(refuse: Answer) -> None:
    with serving(Polite(lambda asked: refuse if "logprobs" in asked.body else completion(" (E)"))) as server:
        model = connect(server.url)
        assert model.choose(["Which?"], LETTERS).letter == 4
        before = len(server.chats)
        choice = model.choose(["Which?"], LETTERS)
    assert len(server.chats) == before + 1  # what was learnt is kept
    assert choice.letter == 4
    assert choice.probabilities is None
    assert "lists no likely tokens" in choice.notes[0]


def test_a_server_that_leaves_probabilities_out_without_a_word_is_asked_without() -> None:
    with serving(Polite(lambda asked: completion("E"))) as server:
        model = connect(server.url)
        before = len(server.chats)
        choices = [model.choose(["Which?"], LETTERS) for _ in range(2)]
    assert [choice.letter for choice in choices] == [4, 4]
    assert all("lists no likely tokens" in choice.notes[0] for choice in choices)
    assert ["logprobs" in asked.body for asked in server.chats[before:]] == [True, False]


def test_a_server_with_a_lower_limit_of_likely_tokens_is_asked_for_fewer() -> None:
    def reply(asked: Asked) -> Answer:
        if asked.body.get("top_logprobs", 0) > 5:
            return error(400, "top_logprobs: must be at most 5")
        return completion(
            "A", likely(("A", LOG(0.5)), ("B", LOG(0.5)), ("C", -50.0), ("D", -50.0), ("E", -50.0))
        )

    assert chosen(reply).probabilities == pytest.approx([0.5, 0.5, 0, 0, 0], abs=1e-6)


@pytest.mark.parametrize(
    "logprobs",
    [
        None, {}, [], "x", {"content": None}, {"content": []}, {"content": [7]}, {"content": [{"token": "A"}]},
        {"content": [{"token": "A", "logprob": "high", "top_logprobs": []}]},
        {"content": [{"token": "A", "logprob": 0.0, "top_logprobs": []}]},
        {"content": [{"token": "A", "logprob": 3.0, "top_logprobs": [{"token": "A", "logprob": 3.0}] * 2}]},
        {"content": [likely(("A", math.nan), ("B", math.nan))]},
        {"content": [likely(("A", -math.inf), ("B", -math.inf))]},
        {"content": [likely(("A", 0.0), ("B", 0.0))]},
        {"content": [likely(("", 0.0), (" ", -1.0))] * 50},
    ],
)  # fmt: skip
def test_probabilities_that_make_no_sense_are_none(logprobs: Any) -> None:
    def reply(asked: Asked) -> Answer:
        answer = completion("A")
        answer.body["choices"][0]["logprobs"] = logprobs
        return answer

    choice = chosen(reply)
    assert choice.probabilities is None
    assert choice.letter == 0


@pytest.mark.parametrize(
    "text", ["", None, "I can't tell.", "A\nB", "Z", "\x1b[2J" * 100, [{"type": "text"}]]
)
def test_a_reply_without_a_letter_is_none_and_says_so(text: Any) -> None:
    choice = chosen(lambda asked: completion(text))
    assert choice == Choice(notes=choice.notes)
    assert choice.notes
    assert all("\x1b" not in note for note in choice.notes)
