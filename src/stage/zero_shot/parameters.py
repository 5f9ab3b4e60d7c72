"""The parameters of zero-shot answering: few, named, fitted on questions that people wrote (docs/zero-shot.md)"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameters:
    """All numbers that decide about an answer."""

    same_thing: float = 0.65
    """The cosine (`Lexicon.likeness`) from which on a label is taken to be what a word names."""
    span_exponent: float = 0.5
    """See `Windows.standing_out`."""
    long_shot: float = 30.0
    """Seconds: within longer shots a span may begin and end anywhere, else it begins and ends at cuts."""
    longest_span: float = 20.0
    """Seconds."""
    span_temperature: float = 0.4
    """What `standing_out` is divided by before its softmax gives the probability of each window."""
    span_answer: float = 0.5
    """What a candidate's words count in its curve, where the question's count 1."""
    span_said: float = 0.3
    """What the similarity of a hypothesis with what is said counts in its curve (in standard deviations)."""
    span_scene: float = 0.1
    """The same for its similarity with all that is seen."""
    span_picture: float = 0.3
    """The same for its similarity with the picture by an image-text encoder."""
    temperature: float = 1.1
    """What logits of candidates are divided by, so that probabilities are no higher than answers are right."""
    answer_seen: float = 2.5
    """What it counts for a candidate that its words are seen in its span, in logits."""
    answer_text: float = 4.0
    """What the similarity of question and answer counts (cosine), where nothing is said in the film."""
    answer_said: float = 4.0
    """What the similarity of the hypothesis with what is said in the span counts (cosine)."""
    answer_around: float = 8.0
    """The same for what is said within a minute of it."""
    answer_scene: float = 2.0
    """What the similarity of the answer with all that is seen counts (cosine)."""
    answer_picture: float = 10.0
    """What the similarity of the hypothesis with the picture counts (cosine)."""
    answer_pixels: float = 5.0
    """What colours, places and counts count, which are read from boxes and pixels, each in [0, 1]."""
