"""STAGE given the true span at inference: the last row of Table 4."""

from __future__ import annotations

from dataclasses import replace

import torch

from stage.data.batch import Batch
from stage.data.question_set import QuestionSet
from stage.inference.model_folder import TrainedModel
from stage.inference.score import evaluate_model
from stage.metrics import Scores
from stage.model.losses import Proposals, score_proposals
from stage.model.outputs import BatchPrediction
from stage.model.stage import Stage


class StageGivenSpans(Stage):
    """STAGE that scores every hypothesis over the true span, where it is annotated."""

    def answer(self, batch: Batch) -> BatchPrediction:
        prediction = super().answer(batch)
        targets = batch.targets
        if targets is None:
            return prediction
        rows = torch.arange(len(batch), device=targets.answer.device)
        logits = score_proposals(self, prediction.output, Proposals(rows, targets.start, targets.end))
        return replace(prediction, logits=torch.where(targets.has_span[:, None], logits, prediction.logits))


def scores_given_true_spans(
    model: TrainedModel, questions: QuestionSet, device: str | None = None
) -> Scores | None:
    """Score a model that is given the true spans; None for a system whose answer doesn't depend on a span.

    Only QA accuracy, overall and by type, differs from the usual scores.
    """
    stage = model.model
    if not isinstance(stage, Stage) or not stage.config.local_features:
        return None
    given_spans = StageGivenSpans(stage.config).eval()
    given_spans.load_state_dict(stage.state_dict())
    return evaluate_model(replace(model, model=given_spans), questions, device)
