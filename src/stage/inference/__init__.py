"""A trained model put to work: predictions, scores, answers about a film, and their evidence."""
