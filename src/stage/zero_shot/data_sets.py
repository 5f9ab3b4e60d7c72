"""Zero-shot answers to the questions of a data set, from the labels of its regions and its text"""

from __future__ import annotations

from collections.abc import Iterator

from stage.data.question_set import QuestionSet
from stage.types import Prediction, Question, Regions, WordBoxes
from stage.zero_shot.answering import read
from stage.zero_shot.evidence import ground, make_prediction
from stage.zero_shot.lexicon import Lexicon
from stage.zero_shot.matching import Matcher
from stage.zero_shot.parameters import Parameters
from stage.zero_shot.view import View
from stage.zero_shot.windows import Windows
from stage.zero_shot.words import words_of

NO_LABELS = (
    "its regions have no labels, so nothing is recognised in them: answered from the text alone; compute its regions "
    "with a detector that gives labels"
)


def view_notes(questions: QuestionSet) -> tuple[str, ...]:
    """Messages to the user: whether there is something to see. The clip of the first question stands for all."""
    regions = questions.regions_of(questions.questions[0].clip)
    return () if any(of_frame.labels for of_frame in regions.values()) else (NO_LABELS,)


def predict_all(
    questions: QuestionSet, parameters: Parameters, lexicon: Lexicon, *, for_scores: bool
) -> Iterator[Prediction]:
    """Predictions for all questions, clip by clip, with boxes in annotated frames.

    for_scores: boxes of the right candidate alone, which are the ones that are scored.
    """
    by_view: dict[tuple[str, tuple[int, ...]], list[Question]] = {}
    for question in questions.questions:
        by_view.setdefault((question.clip, questions.frames_of(question)), []).append(question)
    for (clip, frames), asked in by_view.items():
        view = _view(questions, clip, frames)
        matcher = Matcher(view, lexicon, parameters.same_thing)
        windows = Windows.of(view.times, view.edges, view.cuts, parameters.long_shot, parameters.longest_span)
        for question in asked:
            reading = read(question, matcher, windows, parameters)
            grounding = tuple(_grounding(question, matcher, for_scores))
            yield make_prediction(question, reading, windows, parameters, grounding)


def _view(questions: QuestionSet, clip: str, frames: tuple[int, ...]) -> View:
    """What the data set has of a clip in these frames. The vectors of its regions are those of another model."""
    found = questions.source.regions(questions.clips[clip], frames)
    empty = Regions.empty(0)
    seen = (found.get(frame, empty) for frame in frames)
    regions = tuple(Regions(r.boxes, r.scores, r.features[:, :0], r.labels) for r in seen)
    return View(questions.clips[clip], frames, regions)


def _grounding(question: Question, matcher: Matcher, for_scores: bool) -> Iterator[WordBoxes]:
    """The boxes of the hypotheses' words in annotated frames."""
    wanted = [question.answer_index] if for_scores else range(len(question.answers))
    for position, frame in enumerate(matcher.view.frames):
        if question.boxes.get(frame):
            for k in wanted:
                if k is not None:
                    yield from ground(words_of(question.hypotheses[k]), matcher, position, k)
