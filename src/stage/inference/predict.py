"""From the tensors that the model answers with to predictions in seconds and pixels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import torch

from stage.annotation.concept_words import is_content_word
from stage.annotation.labels import span_in_seconds
from stage.data.batch import Batch
from stage.data.examples import Example, collate
from stage.model.build import VideoQASystem
from stage.model.stage import BatchPrediction
from stage.types import Array, Box, Prediction, WordBoxes

SCORE_THRESHOLD = 0.2
"""Regions that a word attends to with at least this score are its boxes (Sec. 4.3)."""


@torch.inference_mode()
def predict(
    model: VideoQASystem,
    examples: Sequence[Example],
    concepts: Collection[str],
    device: torch.device | str = "cpu",
) -> list[Prediction]:
    """Answer questions; boxes for the concept words of every hypothesis in the annotated frames."""
    batch: Batch = collate(examples).to(device)
    return make_predictions(model.answer(batch), examples, concepts)


def make_predictions(
    answered: BatchPrediction,
    examples: Sequence[Example],
    concepts: Collection[str],
    *,
    for_scores: bool = False,
) -> list[Prediction]:
    """Predictions from a model's answer, with boxes in the frames that are annotated.

    for_scores: boxes for the right hypothesis alone, since no score looks at others.
    """
    probabilities = answered.logits.softmax(-1).tolist()
    starts, ends = answered.spans.start.tolist(), answered.spans.end.tolist()
    scores = answered.grounded.region_scores
    predictions = []
    for n, example in enumerate(examples):
        grounding: Iterable[WordBoxes] = ()
        if scores is not None:
            annotated = [t for t, frame in enumerate(example.frames) if example.question.boxes.get(frame)]
            of = [example.question.answer_index] if for_scores else range(len(probabilities[n]))
            grounding = grounded_words(example, scores[n].float().cpu().numpy(), annotated, concepts, of)
        likeliest = max(range(len(probabilities[n])), key=probabilities[n].__getitem__)
        spans = zip(starts[n], ends[n], strict=True)
        predictions.append(
            Prediction(
                qid=example.question.qid,
                clip=example.question.clip,
                answer_index=likeliest,
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
    of: Collection[int | None],
) -> Iterable[WordBoxes]:
    """The boxes of concept words (lower case), for some of the hypotheses, at the given frame positions.

    scores: (T, K, L_h, N_o). concepts: without any, all content words are looked for. Words without a box over the
    threshold are given with none.
    """
    for t in positions:
        regions = example.regions[t]
        for k, hypothesis in enumerate(example.question.hypotheses):
            if k not in of:
                continue
            words = hypothesis.split()[: len(example.hypotheses[k])]
            for i, word in enumerate(words):
                if word.lower() in concepts if concepts else is_content_word(word):
                    found = scores[t, k, i, : len(regions)]
                    boxes = sorted(
                        (
                            _box(regions.boxes[r], word, float(found[r]))
                            for r in (found >= SCORE_THRESHOLD).nonzero()[0]
                        ),
                        key=lambda box: -box.score,
                    )
                    yield WordBoxes(k, example.frames[t], word, tuple(boxes))


def _box(corners: Array, word: str, score: float) -> Box:
    left, top, right, bottom = corners.tolist()
    return Box(left, top, right, bottom, word, score)
