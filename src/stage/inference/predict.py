"""From the model's output tensors to predictions: answers, spans and boxes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import torch

from stage.annotation.concept_words import is_content_word
from stage.annotation.labels import span_in_seconds
from stage.annotation.vocabulary import normalise_word
from stage.data.batch import Batch
from stage.data.examples import Example, collate
from stage.model.build import VideoQASystem
from stage.model.outputs import BatchPrediction
from stage.types import Array, Box, Prediction, WordBoxes

SCORE_THRESHOLD = 0.2
"""The least attention score at which a region counts as a box of a word (Sec. 4.3)."""


@torch.inference_mode()
def predict(
    model: VideoQASystem,
    examples: Sequence[Example],
    concepts: Collection[str],
    device: torch.device | str = "cpu",
) -> list[Prediction]:
    """Answer questions, with boxes for the concept words of every hypothesis in the annotated frames."""
    batch: Batch = collate(examples).to(device)
    return make_predictions(model.answer(batch), examples, concepts)


def make_predictions(
    batch_prediction: BatchPrediction,
    examples: Sequence[Example],
    concepts: Collection[str],
    *,
    for_scores: bool = False,
) -> list[Prediction]:
    """One prediction per example, with boxes in the annotated frames.

    concepts: the words to ground (normalised); all content words if there are none. for_scores: boxes of the right
    hypothesis only, the only ones that are scored.
    """
    probabilities = batch_prediction.logits.softmax(-1).tolist()
    starts, ends = batch_prediction.spans.start.tolist(), batch_prediction.spans.end.tolist()
    scores = batch_prediction.output.region_scores
    predictions = []
    for n, example in enumerate(examples):
        grounding: Iterable[WordBoxes] = ()
        if scores is not None:
            annotated = [t for t, frame in enumerate(example.frames) if example.question.boxes.get(frame)]
            hypotheses = [example.question.answer_index] if for_scores else range(len(probabilities[n]))
            grounding = grounded_words(
                example, scores[n].float().cpu().numpy(), annotated, concepts, hypotheses
            )
        predicted = max(range(len(probabilities[n])), key=probabilities[n].__getitem__)
        spans = zip(starts[n], ends[n], strict=True)
        predictions.append(
            Prediction(
                qid=example.question.qid,
                clip=example.question.clip,
                answer_index=predicted,
                probabilities=tuple(probabilities[n]),
                spans=tuple(span_in_seconds(start, end, example.frames[0]) for start, end in spans),
                grounding=tuple(grounding),
            )
        )
    return predictions


def grounded_words(
    example: Example,
    scores: Array,
    positions: Iterable[int],
    concepts: Collection[str],
    hypotheses: Collection[int | None],
) -> Iterable[WordBoxes]:
    """The boxes of concept words, for some hypotheses (indices) in some frames (positions in the example).

    scores: (T, K, L_h, N_o) attention scores of hypothesis words and regions. concepts: normalised; all content words
    if there are none. Words without a score above SCORE_THRESHOLD are included, without boxes.
    """
    for t in positions:
        regions = example.regions[t]
        for k, hypothesis in enumerate(example.question.hypotheses):
            if k not in hypotheses:
                continue
            words = hypothesis.split()[: len(example.hypotheses[k])]
            for i, word in enumerate(words):
                if normalise_word(word) in concepts if concepts else is_content_word(word):
                    word_scores = scores[t, k, i, : len(regions)]
                    boxes = sorted(
                        (
                            _box(regions.boxes[r], word, float(word_scores[r]))
                            for r in (word_scores >= SCORE_THRESHOLD).nonzero()[0]
                        ),
                        key=lambda box: -box.score,
                    )
                    yield WordBoxes(k, example.frames[t], word, tuple(boxes))


def _box(corners: Array, word: str, score: float) -> Box:
    left, top, right, bottom = corners.tolist()
    return Box(left, top, right, bottom, word, score)
