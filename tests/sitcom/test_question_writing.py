"""Questions are sound: answered at one moment only, and wrong answers are wrong."""

from __future__ import annotations

import pytest

from stage.sitcom.episodes import Episode, make_episode
from stage.sitcom.world import HEIGHT, WIDTH
from stage.types import FRAMES_PER_SECOND


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    return [make_episode("train", 0, i) for i in range(12)]


@pytest.mark.slow
def test_wrong_answers_are_four_and_not_the_right_one(episodes: list[Episode]) -> None:
    for episode in episodes:
        assert len(episode.questions) == 12
        for question in episode.questions:
            assert len(set(question.answers)) == 5


@pytest.mark.slow
def test_what_is_asked_is_true_at_its_moment_alone(episodes: list[Episode]) -> None:
    """ "What is Mia holding when Leo talks about the exam ?" is looked up in the screenplay."""
    checked = 0
    for episode in episodes:
        for question in episode.questions:
            words = question.text.split()
            if words[0] == "What" and "holding when" in question.text and "talks about the" in question.text:
                topic, person = words[-2], words[2].lower()
                beats = [b for b in episode.play.beats if b.exchange.topic == topic]
                assert len(beats) == 1
                actor = beats[0].actor(person)
                assert actor is not None
                assert actor.holding is not None
                assert question.answer_index is not None
                true = [a for a in question.answers if actor.holding in a.split()]
                assert true == [question.answers[question.answer_index]]
                checked += 1
    assert checked >= 10


@pytest.mark.slow
def test_half_of_the_questions_need_both_dialogue_and_pictures(episodes: list[Episode]) -> None:
    needs = [need for episode in episodes for need in episode.needs]
    assert needs.count("both") / len(needs) >= 0.5
    assert {"dialogue", "pictures"} <= set(needs)


@pytest.mark.slow
def test_spans_lie_in_the_episode_and_boxes_in_the_picture(episodes: list[Episode]) -> None:
    for episode in episodes:
        for question in episode.questions:
            assert question.span is not None
            start, end = question.span
            assert 0 <= start < end <= episode.play.duration
            for frame, boxes in question.boxes.items():
                assert frame % 6 == 1
                assert start <= frame / FRAMES_PER_SECOND <= end
                for box in boxes:
                    assert 0 <= box.left < box.right <= WIDTH
                    assert 0 <= box.top < box.bottom <= HEIGHT
                    assert (
                        box.label in f"{question.text} {question.answers[question.answer_index or 0]}".split()
                    )
