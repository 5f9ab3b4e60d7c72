"""Evidence as the page tells it: which frames are shown, in which words, in which colours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from stage.page.colours import word_colours
from stage.page.overlay import Overlay, overlay
from stage.page.timeline import Timeline, length_of, overlap, shows, timeline, within
from stage.types import AttendedSentence, Evidence, Moment
from stage.wording import Token, percentage, plain, seconds, span_text, tokens

MOST_FRAMES = 40
"""Frames of one question that the film strip shows; of longer clips it shows some."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate answer."""

    letter: str
    tokens: tuple[Token, ...]
    probability: float
    percentage: str
    chosen: bool
    right: bool
    """Known to be the right one."""


@dataclass(frozen=True, slots=True)
class Word:
    """A concept word and its scores in one frame, best first; or its best score in any frame."""

    text: str
    colour: int
    scores: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A subtitle line as it was read at one frame."""

    time: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of the film strip, and the same in large with all that was seen and read in it."""

    id: str
    time: str
    x: float
    """Where on the line of time, in percent of it."""
    lit: bool
    """In the predicted span."""
    true: bool
    """In the true span."""
    key: bool
    """Shown in large from the start, where the page can't be clicked."""
    first: bool
    """Shown in large first."""
    picture: int | None
    description: str
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
    right: bool | None
    """Whether the predicted answer is the right one; None where nobody knows."""
    candidates: tuple[Candidate, ...]
    span: str
    true_span: str | None
    span_overlap: str | None
    words: tuple[Word, ...]
    timeline: Timeline | None
    frames: tuple[Frame, ...]
    frame_count: int
    """Frames that the model saw."""
    aspect: float
    """Width by height of the pictures."""
    has_boxes: bool
    has_true_boxes: bool
    has_subtitles: bool
    has_read_subtitles: bool
    notes: tuple[str, ...]

    @property
    def knows_truth(self) -> bool:
        """Whether anything of the page's section is drawn as true."""
        return self.right is not None or self.true_span is not None or self.has_true_boxes


def frames_to_show(evidence: Evidence) -> tuple[int, ...]:
    """The numbered frames that a page about this answer shows, at most MOST_FRAMES: no others need a picture."""
    return tuple(moment.frame for moment in _shown(evidence, ()))


def question_view(
    evidence: Evidence, number: int, pictured: Collection[int], place: Callable[[int], int]
) -> QuestionView:
    """The section of one question.

    number: from 1. pictured: the numbered frames that there are pictures of. place: numbered frame -> place of its
    picture in the page's gallery.
    """
    question, clip, prediction = evidence.question, evidence.clip, evidence.prediction
    colours, length = word_colours(evidence.concepts), length_of(evidence)
    moments = _shown(evidence, pictured)
    key = _key_frames(evidence, moments)
    places = {m.frame: place(m.frame) for m in moments if m.frame in pictured}
    frames = tuple(_frame(evidence, m, f"q{number}", key, places.get(m.frame), colours) for m in moments)
    return QuestionView(
        id=f"q{number}",
        number=number,
        clip=clip.name,
        length=seconds(clip.duration, clip.duration),
        question=tokens(question.text, colours),
        plain_question=plain(question.text),
        answer=plain(evidence.answer),
        right=None if question.answer_index is None else question.answer_index == prediction.answer_index,
        candidates=_candidates(evidence, colours),
        span=span_text(prediction.span, length),
        true_span=span_text(question.span, length) if question.span else None,
        span_overlap=f"{overlap(prediction.span, question.span):.2f}" if question.span else None,
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


def _candidates(evidence: Evidence, colours: Mapping[str, int]) -> tuple[Candidate, ...]:
    question, chosen = evidence.question, evidence.prediction.answer_index
    return tuple(
        Candidate(
            letter=chr(ord("A") + i) if i < 26 else str(i + 1),
            tokens=tokens(text, colours if i == chosen else {}),
            probability=min(1.0, max(0.0, probability)),
            percentage=percentage(probability),
            chosen=i == chosen,
            right=i == question.answer_index,
        )
        for i, (text, probability) in enumerate(
            zip(question.answers, evidence.prediction.probabilities, strict=True)
        )
    )


def _shown(evidence: Evidence, pictured: Collection[int]) -> list[Moment]:
    """The moments of the film strip: those with a picture, or all if there is none; of many, some, half of them
    from the predicted span."""
    moments = [m for m in evidence.moments if m.frame in pictured] or list(evidence.moments)
    inside = [m for m in moments if within(m, evidence.prediction.span, evidence.clip)]
    outside = [m for m in moments if not within(m, evidence.prediction.span, evidence.clip)]
    room = max(MOST_FRAMES // 2, MOST_FRAMES - len(outside))
    lit = _spread(inside, room)
    return sorted([*lit, *_spread(outside, MOST_FRAMES - len(lit))], key=lambda m: m.frame)


def _spread(moments: Sequence[Moment], count: int) -> list[Moment]:
    """At most `count` of them, the first and the last included, at even distances."""
    if len(moments) <= count:
        return list(moments)
    return [moments[round(i * (len(moments) - 1) / (count - 1))] for i in range(count)]


def _key_frames(evidence: Evidence, moments: Sequence[Moment]) -> tuple[int, ...]:
    """Numbered frames worth a large picture: the one in the span in which the words are grounded best, then the
    span's first and last. Empty if no frame is shown at all."""
    if not moments:
        return ()
    middle = sum(evidence.prediction.span) / 2
    lit = [m for m in moments if within(m, evidence.prediction.span, evidence.clip)]
    lit = lit or [min(moments, key=lambda m: abs(sum(shows(m, evidence.clip)) / 2 - middle))]
    best = max(lit, key=lambda m: (_grounded(m), -abs(sum(shows(m, evidence.clip)) / 2 - middle)))
    return tuple(dict.fromkeys((best.frame, lit[0].frame, lit[-1].frame)))


def _grounded(moment: Moment) -> float:
    return sum(words.boxes[0].score for words in moment.grounding if words.boxes)


def _frame(
    evidence: Evidence,
    moment: Moment,
    section: str,
    key: Sequence[int],
    picture: int | None,
    colours: Mapping[str, int],
) -> Frame:
    length, question = length_of(evidence), evidence.question
    words = _words(evidence, [moment], colours)
    seen = ", ".join(f"{word.text} ({', '.join(word.scores)})" for word in words if word.scores)
    time = seconds(moment.time, length)
    lit = within(moment, evidence.prediction.span, evidence.clip)
    return Frame(
        id=f"{section}-f{moment.frame}",
        time=time,
        x=100 * min(length, max(0.0, sum(shows(moment, evidence.clip)) / 2)) / length,
        lit=lit,
        true=question.span is not None and within(moment, question.span, evidence.clip),
        key=moment.frame in key,
        first=moment.frame == key[0],
        picture=picture,
        description=f"Frame at {time}; boxes: {seen or 'none'}",
        overlay=overlay(evidence.clip, moment.grounding, question.boxes.get(moment.frame, ()), colours),
        words=words,
        lines=tuple(_line(attended, length) for attended in moment.sentences),
    )


def _words(evidence: Evidence, moments: Sequence[Moment], colours: Mapping[str, int]) -> tuple[Word, ...]:
    """Each concept word with the scores of its boxes in these moments."""
    scores: dict[str, list[float]] = {word: [] for word in evidence.concepts}
    names = {word.lower(): word for word in evidence.concepts}
    for words in (words for m in moments for words in m.grounding):
        found = scores.setdefault(names.get(words.word.lower(), words.word), [])
        found += [box.score for box in words.boxes]
    return tuple(
        Word(word, colours.get(word.lower(), 0), tuple(f"{s:.2f}" for s in sorted(found, reverse=True)))
        for word, found in scores.items()
    )


def _best_words(evidence: Evidence, colours: Mapping[str, int]) -> tuple[Word, ...]:
    """Each concept word with its best score in the predicted span."""
    lit = [m for m in evidence.moments if within(m, evidence.prediction.span, evidence.clip)]
    words = _words(evidence, lit, colours)
    return tuple(Word(word.text, word.colour, word.scores[:1]) for word in words)


def _line(attended: AttendedSentence, length: float) -> Line:
    sentence = attended.sentence
    return Line(
        span_text((sentence.start, sentence.end), length), tokens(sentence.text, {}, attended.weights)
    )
