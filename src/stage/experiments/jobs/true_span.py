"""The last row of Table 4: a trained STAGE that is told the true span and has only to answer."""

from __future__ import annotations

from dataclasses import replace

import torch

from stage.data.batch import Batch
from stage.data.question_set import QuestionSet
from stage.inference.model_folder import TrainedModel
from stage.inference.score import evaluate_model
from stage.metrics import Scores
from stage.model.losses import Proposals, score_proposals
from stage.model.stage import BatchPrediction, Stage


class StageGivenSpans(Stage):
    """STAGE whose hypotheses are all seen over the true span, where it is known."""

    def answer(self, batch: Batch) -> BatchPrediction:
        answered = super().answer(batch)
        targets = batch.targets
        if targets is None:
            return answered
        everyone = torch.arange(len(batch), device=targets.answer.device)
        told = score_proposals(self, answered.grounded, Proposals(everyone, targets.start, targets.end))
        return replace(answered, logits=torch.where(targets.has_span[:, None], told, answered.logits))


def scores_given_true_spans(
    trained: TrainedModel, questions: QuestionSet, device: str | None = None
) -> Scores | None:
    """Scores of a model's answers when it is given the true spans; none if it does not answer from a span.

    Only QA Acc., overall and by type, says something new.
    """
    if not isinstance(trained.stage, Stage) or not trained.stage.config.local_features:
        return None
    told = StageGivenSpans(trained.stage.config).eval()
    told.load_state_dict(trained.stage.state_dict())
    return evaluate_model(replace(trained, stage=told), questions, device)
