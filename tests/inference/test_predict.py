"""Predictions from the model's tensors."""

from __future__ import annotations

from pathlib import Path

from stage.annotation.concept_words import is_content_word
from stage.data.layouts import open_questions
from stage.inference.model_folder import load_model
from stage.inference.predict import predict


def test_a_model_without_concepts_grounds_every_content_word(sitcom_data: Path, sitcom_model: Path) -> None:
    model = load_model(sitcom_model)
    questions = open_questions(sitcom_data, model.limits).with_projections(model.projections)
    boxed = next(i for i, question in enumerate(questions.questions) if question.boxes)
    (prediction,) = predict(model.model, [questions.example(boxed)], ())
    words = {found.word for found in prediction.grounding}
    asked = {word for hypothesis in questions.questions[boxed].hypotheses for word in hypothesis.split()}
    assert words == {word for word in asked if is_content_word(word)}
