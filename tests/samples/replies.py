"""Replies as models print them, and as nobody should: any text, and texts made of what replies are made of."""

from __future__ import annotations

from hypothesis import strategies as st

SNIPPETS = st.sampled_from(
    [
        "[", "]", "{", "}", '"bbox_2d"', ":", ",", "12.5", "-3", "1e999", "NaN", "Infinity",
        "<box>", "</box>", "<obj>",
        "</obj>", "at<t>", "</t>s", "<points coords=", '"', "```json", "```", "<think>",
        "</think>", "<answer>", "From ",
        " to ", " seconds", "00:12.50", "(B)", "The answer is ", "\x00", "\x1b[31m", "\ud800", "9" * 400, "[" * 400,
    ]
)  # fmt: skip
REPLIES = st.one_of(st.text(max_size=300), st.lists(SNIPPETS, max_size=60).map("".join))
