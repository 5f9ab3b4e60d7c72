"""Model folders that need no training."""

from __future__ import annotations

from pathlib import Path

import torch

from stage.data.examples import Limits
from stage.features.projection import Projection, Projections
from stage.inference.model_folder import FeatureRecipe, TrainedModel, save_model
from stage.model.stage import Stage


def as_folder(model: Stage, folder: Path) -> Path:
    """Write a model with an identity projection of its regions."""
    size = model.config.region_dim
    projection = Projection(mean=torch.zeros(size).numpy(), components=torch.eye(size).numpy(), explained=1.0)
    recipe = FeatureRecipe(text="words", regions="boxes")
    save_model(
        TrainedModel(model, recipe, Projections(regions=projection), ("mug",), Limits(frames=33)), folder
    )
    return folder
