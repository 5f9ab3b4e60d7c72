"""View model of the page: the frames it shows, with texts and colours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from stage.annotation.vocabulary import normalise_word
from stage.geometry import span_overlap
from stage.page.answered_by import likelihood, who_answered
from stage.page.colours import word_colours
from stage.page.overlay import Overlay, overlay
from stage.page.timeline import Timeline, interval_of, timeline, timeline_length, within
from stage.types import AttendedSentence, Evidence, Moment
from stage.wording import Token, detokenised, seconds, span_text, tokens

MOST_FRAMES = 40
"""The most frames that the film strip of a question shows; of longer clips it shows a selection."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate answer."""

    letter: str
    tokens: tuple[Token, ...]
    probability: float
    percentage: str
    predicted: bool
    right: bool
    """Whether it is the right answer; False if that is unknown."""


@dataclass(frozen=True, slots=True)
class Word:
    """A concept word with the scores of its boxes."""

    text: str
    colour: int
    scores: tuple[str, ...]
    """Best first; none if it has no box."""


@dataclass(frozen=True, slots=True)
class Line:
    """A subtitle line at one frame, with the attention to its words."""

    time: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of the film strip, and its enlarged view with grounding and subtitles."""

    id: str
    time: str
    x: float
    """Position on the timeline, in percent of it."""
    predicted: bool
    """In the predicted span."""
    true: bool
    """In the true span."""
    key: bool
    """Always shown enlarged where the page has no script, as on paper."""
    first: bool
    """Shown enlarged first."""
    picture: int | None
    """Index of its image in the page's gallery; None without one."""
    description: str
    """For screen readers."""
    overlay: Overlay
    words: tuple[Word, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A section of the page."""

    id: str
    number: int
    clip: str
    length: str
    question: tuple[Token, ...]
    plain_question: str
    answer: str
    free: bool
    """Whether the answer was written without candidates."""
    answered_by: str
    """Who answered and how often that one is right; empty if unknown."""
    right: bool | None
    """Whether the predicted answer is the right one; None if that is unknown."""
    candidates: tuple[Candidate, ...]
    span: str
    true_span: str | None
    span_overlap: str | None
    words: tuple[Word, ...]
    timeline: Timeline | None
    frames: tuple[Frame, ...]
    frame_count: int
    """Frames that the model read."""
    aspect: float
    """Width / height of the frames."""
    has_boxes: bool
    has_true_boxes: bool
    has_subtitles: bool
    has_read_subtitles: bool
    notes: tuple[str, ...]

    @property
    def has_ground_truth(self) -> bool:
        """Whether the section shows any ground truth."""
        return self.right is not None or self.true_span is not None or self.has_true_boxes


def frames_to_show(evidence: Evidence) -> tuple[int, ...]:
    """The numbered frames that a page about this answer shows, at most MOST_FRAMES: only these need an image."""
    return tuple(moment.frame for moment in _shown_moments(evidence, ()))


def question_view(
    evidence: Evidence, number: int, with_image: Collection[int], image_index: Callable[[int], int]
) -> QuestionView:
    """The section of one question.

    number: counted from 1. with_image: the numbered frames that have an image. image_index: numbered frame -> index
    of its image in the page's gallery.
    """
    question, clip, prediction = evidence.question, evidence.clip, evidence.prediction
    colours, length = word_colours(evidence.concepts), timeline_length(evidence)
    moments = _shown_moments(evidence, with_image)
    key = _key_frames(evidence, moments)
    indices = {m.frame: image_index(m.frame) for m in moments if m.frame in with_image}
    frames = tuple(_frame(evidence, m, f"q{number}", key, indices.get(m.frame), colours) for m in moments)
    return QuestionView(
        id=f"q{number}",
        number=number,
        clip=clip.name,
        length=seconds(clip.duration, clip.duration),
        question=_coloured(question.text, colours),
        plain_question=detokenised(question.text),
        answer=evidence.answer if evidence.free else detokenised(evidence.answer),
        free=evidence.free,
        answered_by=_sentence(who_answered(evidence.answered_by)) if evidence.answered_by else "",
        right=None
        if question.answer_index is None or evidence.free
        else question.answer_index == prediction.answer_index,
        candidates=_candidates(evidence, colours),
        span=span_text(prediction.span, length),
        true_span=span_text(question.span, length) if question.span else None,
        span_overlap=f"{span_overlap(prediction.span, question.span):.2f}" if question.span else None,
        words=_best_words(evidence, colours),
        timeline=timeline(evidence) if evidence.moments else None,
        frames=frames,
        frame_count=len(evidence.moments),
        aspect=clip.width / clip.height,
        has_boxes=any(words.boxes for m in evidence.moments for words in m.grounding),
        has_true_boxes=any(frame.overlay.true_outlines for frame in frames),
        has_subtitles=bool(clip.sentences) or any(m.sentences for m in evidence.moments),
        has_read_subtitles=any(m.sentences for m in evidence.moments),
        notes=evidence.notes,
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _candidates(evidence: Evidence, colours: Mapping[str, int]) -> tuple[Candidate, ...]:
    question, predicted = evidence.question, evidence.prediction.answer_index
    return tuple(
        Candidate(
            letter=chr(ord("A") + i) if i < 26 else str(i + 1),
            tokens=_coloured(text, colours if i == predicted else {}),
            probability=min(1.0, max(0.0, probability)),
            percentage=likelihood(probability),
            predicted=i == predicted,
            right=i == question.answer_index,
        )
        for i, (text, probability) in enumerate(
            zip(question.answers, evidence.prediction.probabilities, strict=True)
        )
    )


def _shown_moments(evidence: Evidence, with_image: Collection[int]) -> list[Moment]:
    """The moments of the film strip: those with an image, or all if none has one.

    Of more than MOST_FRAMES a selection, half of it from the predicted span if that has enough.
    """
    moments = [m for m in evidence.moments if m.frame in with_image] or list(evidence.moments)
    inside = [m for m in moments if m.in_span]
    outside = [m for m in moments if not m.in_span]
    room = max(MOST_FRAMES // 2, MOST_FRAMES - len(outside))
    selected = _evenly_spaced(inside, room)
    return sorted([*selected, *_evenly_spaced(outside, MOST_FRAMES - len(selected))], key=lambda m: m.frame)


def _evenly_spaced(moments: Sequence[Moment], count: int) -> list[Moment]:
    """At most `count` moments, evenly spaced, including the first and the last."""
    if len(moments) <= count:
        return list(moments)
    return [moments[round(i * (len(moments) - 1) / (count - 1))] for i in range(count)]


def key_frame(evidence: Evidence) -> int:
    """The numbered frame to show first, of an answer with moments: see `_key_frames`."""
    return _key_frames(evidence, evidence.moments)[0]


def _key_frames(evidence: Evidence, moments: Sequence[Moment]) -> tuple[int, ...]:
    """The numbered frames to enlarge: that of the predicted span with the best grounding, then its first and last.

    Without a frame in the span, the one nearest to it; none if no frame is shown.
    """
    if not moments:
        return ()
    middle = sum(evidence.prediction.span) / 2

    def distance(moment: Moment) -> float:
        return abs(sum(interval_of(moment, evidence.clip)) / 2 - middle)

    in_span = [m for m in moments if m.in_span]
    in_span = in_span or [min(moments, key=distance)]
    best = max(in_span, key=lambda m: (_grounding_score(m), -distance(m)))
    return tuple(dict.fromkeys((best.frame, in_span[0].frame, in_span[-1].frame)))


def _grounding_score(moment: Moment) -> float:
    """The sum of the best scores of its words."""
    return sum(words.boxes[0].score for words in moment.grounding if words.boxes)


def _frame(
    evidence: Evidence,
    moment: Moment,
    section: str,
    key: Sequence[int],
    picture: int | None,
    colours: Mapping[str, int],
) -> Frame:
    length, question = timeline_length(evidence), evidence.question
    words = _words(evidence, [moment], colours)
    boxes = ", ".join(f"{word.text} ({', '.join(word.scores)})" for word in words if word.scores)
    time = seconds(moment.time, length)
    return Frame(
        id=f"{section}-f{moment.frame}",
        time=time,
        x=100 * min(length, max(0.0, sum(interval_of(moment, evidence.clip)) / 2)) / length,
        predicted=moment.in_span,
        true=question.span is not None and within(moment, question.span, evidence.clip),
        key=moment.frame in key,
        first=moment.frame == key[0],
        picture=picture,
        description=f"Frame at {time}; boxes: {boxes or 'none'}",
        overlay=overlay(evidence.clip, moment.grounding, question.boxes.get(moment.frame, ()), colours),
        words=words,
        lines=tuple(_line(attended, length) for attended in moment.sentences),
    )


def _coloured(text: str, colours: Mapping[str, int]) -> tuple[Token, ...]:
    """The tokens of a text, its concept words in their colours."""
    as_written = {w.lower(): colours[word] for w in text.split() if (word := normalise_word(w)) in colours}
    return tokens(text, as_written)


def _words(evidence: Evidence, moments: Sequence[Moment], colours: Mapping[str, int]) -> tuple[Word, ...]:
    """Each concept word with the scores of its boxes in some moments."""
    scores: dict[str, list[float]] = {word: [] for word in evidence.concepts}
    names = {normalise_word(word): word for word in evidence.concepts}
    for words in (words for m in moments for words in m.grounding):
        of_word = scores.setdefault(names.get(normalise_word(words.word), words.word), [])
        of_word += [box.score for box in words.boxes]
    return tuple(
        Word(
            word,
            colours.get(normalise_word(word), 0),
            tuple(f"{s:.2f}" for s in sorted(of_word, reverse=True)),
        )
        for word, of_word in scores.items()
    )


def _best_words(evidence: Evidence, colours: Mapping[str, int]) -> tuple[Word, ...]:
    """Each concept word with its best score in the predicted span."""
    in_span = [m for m in evidence.moments if m.in_span]
    words = _words(evidence, in_span, colours)
    return tuple(Word(word.text, word.colour, word.scores[:1]) for word in words)


def _line(attended: AttendedSentence, length: float) -> Line:
    sentence = attended.sentence
    return Line(
        span_text((sentence.start, sentence.end), length), tokens(sentence.text, {}, attended.weights)
    )
