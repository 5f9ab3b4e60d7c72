"""Using trained models: predictions, scores, questions about films, evidence."""
