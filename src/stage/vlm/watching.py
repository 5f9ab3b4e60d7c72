"""A question put to a model that watches a film: its answer, its moment and its boxes"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stage.annotation.concept_words import is_content_word
from stage.errors import InputError
from stage.media.subtitles import tokenise
from stage.types import FRAMES_PER_SECOND, Prediction, Progress, Question, WordBoxes
from stage.vlm import prompts
from stage.vlm.chat import ChatModel, Choice, Part, Reply
from stage.vlm.grounding import Grounder, OwnGrounder
from stage.vlm.letters import LETTERS, turned
from stage.vlm.moments import FLAT, SHORTEST, Span, search
from stage.vlm.replies import answer_in, moments_in
from stage.vlm.steps import Steps
from stage.vlm.view import View, subtitles
from stage.wording import counted, quoted

FRAMES_PER_WINDOW, BOX_FRAMES, MOST_WORDS = 4, 4, 12
"""Frames of a window that is judged, frames of the span that boxes are looked for in, and words that they are for."""
SPACING = 4.0
"""Seconds between frames at which a model that prints moments is asked for one: coarse to fine until then."""
ANSWER_TOKENS, SPAN_TOKENS = 64, 96
NO_ANSWER = "no answer"
PLACES = 9
"""Decimals of probabilities that are compared: sums in another order differ in the last ones."""
MOST_NOTES = 12
"""Of one answer: what a model prints may be wrong in many ways."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model answered."""

    question: Question
    """With the answer that was written, if it had no candidates."""
    prediction: Prediction
    concepts: tuple[str, ...]
    """The words that boxes were looked for."""
    frames: tuple[int, ...]
    """The numbered frames from which the answer was taken."""
    notes: tuple[str, ...]
    """Messages to the user, each once."""


@dataclass(eq=False)
class _Question:
    """One question while it is answered."""

    model: ChatModel
    view: View
    question: Question
    steps: Steps
    notes: list[str] = field(default_factory=list)

    def written(self) -> Question:
        """The question with the answer that the model writes. Frames are spread over the film."""
        frames = self.view.spread((0.0, self.view.clip.duration), self.model.limits.frames)
        reply = self._written(prompts.writing(self.shown(frames), self.question.text), ANSWER_TOKENS)
        answer = tokenise(answer_in(reply.text))
        if not answer:
            self.notes.append(f"the model wrote no answer: {quoted(reply.text.strip())}")
        elif not reply.whole:
            self.notes.append("the answer was cut off")
        question = self.question
        return Question(
            question.qid,
            question.clip,
            question.text,
            (answer or NO_ANSWER,),
            span=question.span,
            boxes=question.boxes,
        )

    def moment(self, asked: str) -> Span:
        """The moment of the question, see `stage.vlm.moments`; or as the model prints it, where its family does.

        asked: the question, with the answer if that was written before.
        """
        limits, duration = self.model.limits, self.view.clip.duration
        own = self.model.habits.spans and limits.frames > 0
        until = SPACING * limits.frames if own else 0.0
        found = search(lambda windows: self._judged(windows, asked), duration, until)
        if own:
            frames = self.view.spread(found.span, limits.frames)
            self.steps.expect(1)
            reply = self._written(prompts.span(self.shown(frames, found.span), asked), SPAN_TOKENS)
            read = moments_in(reply.text, duration)
            self.notes += read.notes
            if read.spans:
                if len(read.spans) > 1:
                    self.notes.append(
                        f"the model printed {counted(len(read.spans), 'moment')}; the longest is taken"
                    )
                longest = max(read.spans, key=lambda span: span[1] - span[0])
                if longest[1] - longest[0] >= 1 / FRAMES_PER_SECOND:
                    return longest
                self.notes.append("the model printed a moment of no length; what is around it is taken")
                return around(sum(longest) / 2, duration)
            self.notes.append("the moment is found by judging windows of the film instead")
            found = search(lambda windows: self._judged(windows, asked), duration)
        if not found.stands_out:
            self.notes.append("no moment stands out: the model judges all parts of the film alike")
        return found.span

    def probabilities(self, span: Span) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """The probability of each candidate, and the frames that were shown: of all of the film, and of the span.

        The mean over as many rounds as there are options, in which each has had every letter once: models prefer
        some letters whatever they stand for, and one that does nothing else finds all options equally likely. Of
        letters without probabilities, the share of the rounds that each was chosen in, and one round more divided
        among all.
        """
        options, limits = self.question.answers, self.model.limits
        everywhere = self.view.spread((0.0, self.view.clip.duration), limits.frames - limits.frames // 2)
        frames = tuple(sorted({*everywhere, *self.view.spread(span, limits.frames // 2)}))
        shown = self.shown(frames)
        sums, letters_alone = [0.0] * len(options), False
        for number in range(len(options)):
            order = turned(len(options), number)
            choice = self._chosen(shown, [options[i] for i in order])
            letters_alone |= choice.probabilities is None
            for i, share in zip(order, _shares(choice, len(options)), strict=True):
                sums[i] += share
        if letters_alone:
            sums = [total + 1 / len(options) for total in sums]
            self.notes.append(
                "the model gave letters without probabilities; these are shares of "
                f"{counted(len(options), 'round')}"
            )
        if max(sums) - min(sums) < FLAT * len(options):
            self.notes.append(
                "the model finds all candidates equally likely: its answer is no better than a guess"
            )
        return tuple(value / sum(sums) for value in sums), frames

    def shown(self, frames: Sequence[int], span: Span | None = None) -> list[Part]:
        """Frames and subtitles, of all of the film or a part of it, as a prompt begins."""
        clip, limits = self.view.clip, self.model.limits
        pictures = self.view.frames(frames) if limits.frames else []
        said = clip.sentences if span is None else self.view.said(span)
        text, notes = subtitles(said, [picture.second for picture in pictures], limits.characters)
        self.notes += notes
        if span is None and not pictures and not text:
            self.notes.append(
                "the model was given nothing of the film: it understands no pictures, and nothing is said"
            )
        what = "a film" if span is None else f"a part of a film, from {span[0]:.1f} to {span[1]:.1f} seconds"
        return prompts.context(pictures, text, what)

    def _judged(self, windows: Sequence[Span], asked: str) -> list[float]:
        """For each window, the probability that it shows the moment."""
        self.steps.expect(len(windows))
        return [self._shows(window, asked) for window in windows]

    def _shows(self, window: Span, asked: str) -> float:
        """The probability that a window shows the moment: 0 where there is nothing to be shown."""
        frames = self.view.spread(window, min(FRAMES_PER_WINDOW, self.model.limits.frames))
        if not (shown := self.shown(frames, window)):
            self.steps.advance()
            return 0.0
        choice = self._choice(prompts.window(shown, asked), prompts.YES_NO)
        if choice.probabilities is not None:
            return choice.probabilities[0]
        return 0.5 if choice.letter is None else 1.0 - choice.letter

    def _chosen(self, shown: Sequence[Part], options: Sequence[str]) -> Choice:
        letters = LETTERS[: len(options)]
        return self._choice(prompts.choice(shown, self.question.text, options, letters), letters)

    def _choice(self, parts: Sequence[Part], letters: Sequence[str]) -> Choice:
        choice = self.model.choose(parts, letters)
        self.notes += choice.notes
        self.steps.advance()
        return choice

    def _written(self, parts: Sequence[Part], most_tokens: int) -> Reply:
        reply = self.model.write(parts, most_tokens)
        self.notes += reply.notes
        self.steps.advance()
        return reply


def answer(
    model: ChatModel,
    view: View,
    grounder: Grounder,
    question: Question,
    frames: Sequence[int] | None = None,
    *,
    progress: Progress | None = None,
) -> Answered:
    """Put a question to a model: choose among its candidates, or write an answer if it has none.

    frames: numbered frames in which boxes are looked for, and the hypothesis that they are for is the right one; by
    default some of the span, for the predicted answer. progress: is told of every prompt. Raises InputError if the
    model can't be asked.
    """
    if len(question.answers) > len(LETTERS):
        raise InputError(
            f"{counted(len(question.answers), 'candidate answer')} given; give at most {len(LETTERS)}"
        )
    steps = Steps(progress)
    steps.expect(max(1, len(question.answers)))
    if isinstance(grounder, OwnGrounder):
        steps.expect(BOX_FRAMES if frames is None else len(frames))
    asking = _Question(model, view, question, steps)
    if not question.answers:
        question = asking.written()
        span = asking.moment(question.text if _is_unanswered(question) else question.hypotheses[0])
        probabilities: tuple[float, ...] = (1.0,)
        shown = tuple(view.spread((0.0, view.clip.duration), model.limits.frames))
    else:
        span = asking.moment(question.text)
        probabilities, shown = asking.probabilities(span)
    span = view.clip.clamp(span)
    best = max(range(len(probabilities)), key=lambda i: round(probabilities[i], PLACES))
    scored = best if frames is None or question.answer_index is None else question.answer_index
    wanted = view.spread(span, BOX_FRAMES) if frames is None else list(frames)
    words = words_to_ground(question.text if _is_unanswered(question) else question.hypotheses[scored])
    grounding: list[WordBoxes] = []
    if wanted and words:
        found, notes = grounder.find(view, wanted, words, steps.advance)
        asking.notes += notes
        grounding = [
            WordBoxes(scored, frame, word, found[frame].get(word, ()))
            for frame in sorted(set(wanted) & found.keys())
            for word in words
        ]
    prediction = Prediction(
        question.qid, question.clip, best, probabilities, (span,) * len(probabilities), tuple(grounding)
    )
    seen = shown if model.limits.frames else ()
    return Answered(question, prediction, words, seen, _each_once(asking.notes))


def _is_unanswered(question: Question) -> bool:
    return question.answers == (NO_ANSWER,)


def _shares(choice: Choice, options: int) -> Sequence[float]:
    """What a round gives to each of its options: one in all."""
    if choice.probabilities is not None:
        return choice.probabilities
    if choice.letter is None:
        return [1 / options] * options
    return [float(position == choice.letter) for position in range(options)]


def around(second: float, duration: float) -> Span:
    """A span as long as the shortest window around a second of a film, within it."""
    length = min(SHORTEST, duration)
    start = min(max(0.0, second - length / 2), duration - length)
    return start, start + length


def _each_once(notes: Sequence[str]) -> tuple[str, ...]:
    """Each note once, the first MOST_NOTES of them."""
    different = tuple(dict.fromkeys(notes))
    if (more := len(different) - MOST_NOTES) <= 0:
        return different
    return (*different[:MOST_NOTES], f"{counted(more, 'more note')} about what the model replied")


def words_to_ground(hypothesis: str) -> tuple[str, ...]:
    """The content words of question and answer, each once; of many, those of the end, where the answer is."""
    words = list(dict.fromkeys(word for word in hypothesis.split() if is_content_word(word)))
    return tuple(words[-MOST_WORDS:])
