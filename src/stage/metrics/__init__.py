"""The paper's scores: answers, spans and grounding, overall, by question type and by word."""

from stage.metrics.printing import print_scores
from stage.metrics.proposals import proposal_recall
from stage.metrics.scores import Scores, evaluate

__all__ = ["Scores", "evaluate", "print_scores", "proposal_recall"]
