"""The paper's metrics: answers, spans, grounding; by question type and word."""

from stage.metrics.printing import print_scores
from stage.metrics.proposals import proposal_recall
from stage.metrics.scores import Scores, evaluate

__all__ = ["Scores", "evaluate", "print_scores", "proposal_recall"]
