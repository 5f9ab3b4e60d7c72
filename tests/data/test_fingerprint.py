"""A fingerprint is that of the data: equal for equal data, another one for any change."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stage.data.fingerprint import fingerprint_of
from stage.types import Box, Clip, Question, Sentence

NAMES = ["a", "b"]
texts = st.text(max_size=3)
times = st.floats(0, 99, allow_nan=False)
boxes = st.builds(Box, times, times, times, times, texts)
questions = st.lists(
    st.builds(
        Question,
        st.integers(0, 3),
        st.sampled_from(NAMES),
        texts,
        st.tuples(texts, texts),
        st.sampled_from([None, 0, 1]),
        st.none() | st.tuples(times, times),
        st.dictionaries(st.integers(1, 3), st.tuples(boxes), max_size=2),
    ),
    min_size=1,
    max_size=3,
)
sentences = st.lists(st.builds(Sentence, times, times, texts), max_size=2).map(tuple)
clips = st.fixed_dictionaries(
    {name: st.builds(Clip, st.just(name), st.integers(0, 9), sentences=sentences) for name in NAMES}
)


@given(questions, questions, clips, clips)
def test_parts_have_the_same_fingerprint_if_and_only_if_they_are_equal(
    first: list[Question], second: list[Question], clips: dict[str, Clip], others: dict[str, Clip]
) -> None:
    of_first = fingerprint_of(first, clips, "", {})
    assert of_first == fingerprint_of(list(first), dict(reversed(clips.items())), "", {})
    assert (of_first.questions == fingerprint_of(second, clips, "", {}).questions) == (first == second)
    changed = fingerprint_of(first, others, "", {})
    asked = {question.clip for question in first}
    assert (of_first.subtitles == changed.subtitles) == all(
        clips[name].sentences == others[name].sentences for name in asked
    )
    assert (of_first.frame_counts == changed.frame_counts) == all(
        clips[name].frame_count == others[name].frame_count for name in asked
    )


def test_clips_without_questions_do_not_count_but_rules_do() -> None:
    question, clip = Question(1, "a", "who ?", ("b", "c"), 0), Clip("a", 9)
    alone = fingerprint_of([question], {"a": clip}, "f", {"frames": 300})
    assert (
        fingerprint_of([question], {"a": clip, "b": replace(clip, name="b")}, "f", {"frames": 300}) == alone
    )
    other = fingerprint_of([question], {"a": clip}, "g", {"frames": 200})
    assert (other.questions != alone.questions, other.features) == (True, "g")
