"""Times, probabilities and sentences as people read them."""

from __future__ import annotations

from stage.wording import detokenised, percentage, seconds, span_text


def test_times_read_as_people_write_them() -> None:
    assert seconds(12.34, 48) == "12.3 s"
    assert seconds(59.96, 70) == "1:00.0"
    assert span_text((6.25, 12.0), 48) == "6.2 to 12.0 s"
    assert span_text((58, 62.34), 100) == "0:58.0 to 1:02.3"


def test_probabilities_are_never_rounded_to_certainty() -> None:
    assert [percentage(p) for p in (0, 0.004, 0.5, 0.996, 1)] == ["0 %", "< 1 %", "50 %", "> 99 %", "100 %"]


def test_punctuation_is_attached_to_its_word() -> None:
    assert (
        detokenised("Leo : Do n't ask ( please ) , it 's Mia 's .") == "Leo: Don't ask (please), it's Mia's."
    )
