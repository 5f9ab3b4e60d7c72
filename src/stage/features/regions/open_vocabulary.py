"""Open-vocabulary detectors of transformers: OWL-ViT, OWLv2, Grounding DINO and MM-Grounding DINO"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stage.errors import InputError
from stage.features.image_processor import load_image_processor, prepare
from stage.features.pretrained import (
    Source,
    load_tokenizer,
    load_weights,
    loading,
    name_of_folder,
    one_line,
)
from stage.features.pretrained_files import PROCESSOR_FILES, TOKENIZER_FILES, VOCABULARIES
from stage.features.regions.phrase_models import GroundingDino, Owl, PhraseModel, Query, Scored
from stage.geometry import tensor_box_iou
from stage.runtime.hardware import best_device
from stage.types import Box, Image
from stage.wording import quoted

OWL, GROUNDING_DINO = ("owlv2", "owlvit"), ("grounding-dino", "mm-grounding-dino")
"""Kinds of models, as in their config.json."""
SAME_OBJECT = 0.5
"""Boxes of one phrase with a larger IoU than this show the same object; the better one is kept."""
LEAST_SIDE = 1
"""Pixels of a box within the image. What lies in the padding of an image is left with less."""
MOST_BOXES = 10
"""Of a phrase in an image."""
MOST_COMPARED = 300
"""The best boxes of a phrase, which are compared with one another."""


class OpenVocabularyDetector:
    """An open-vocabulary detector of transformers, as a `PhraseDetector`.

    A box is found if its score for the phrase is at least the family's threshold (OWL 0.1, Grounding DINO 0.25: those
    of the models' own post-processing), no better box of the phrase overlaps it by an IoU of more than 0.5, and it
    is among the phrase's ten best.
    """

    def __init__(self, model: Any, tokenizer: Any, processor: Any, name: str) -> None:
        """processor: the image processor that the model was trained with. Raises InputError if they don't fit."""
        self.model = model.eval().to(best_device())
        self.processor = processor
        self.family: PhraseModel
        if model.config.model_type in OWL:
            # OWL-ViT's processor stretches images to a square; OWLv2's pads them first.
            self.family = Owl(self.model, tokenizer, pads=bool(getattr(processor, "do_pad", False)))
        else:
            self.family = GroundingDino(self.model, tokenizer)
        self._name = name
        self._queries: dict[str, Query] = {}

    @classmethod
    def load(cls, spec: str) -> OpenVocabularyDetector:
        """Load a model folder, or a model of the hub by its name: from the network unless it was downloaded before.

        Raises InputError if it is no open-vocabulary detector, or is incomplete: weights, tokenizer, preparation of
        images. Whether the model can process what they prepare is seen with the first image.
        """
        source, local = Source.of(spec, "open-vocabulary detector", (VOCABULARIES, PROCESSOR_FILES))
        from transformers import AutoModelForZeroShotObjectDetection

        with loading(source, "open-vocabulary detector", local=local) as config:
            if config.model_type not in OWL + GROUNDING_DINO:
                raise InputError(
                    f"{spec}: is a model of the kind {quoted(config.model_type)}; of detectors that are asked for "
                    "words, OWLv2, OWL-ViT, Grounding DINO and MM-Grounding DINO can be used"
                )
            tokenizer = load_tokenizer(source, local=local)
            model = load_weights(AutoModelForZeroShotObjectDetection, source, local=local)
            processor = load_image_processor(source, local=local)
        folder = Path(spec)
        name = name_of_folder(folder, (*PROCESSOR_FILES, *TOKENIZER_FILES)) if folder.is_dir() else spec
        detector = cls(model, tokenizer, processor, name)
        prepare(processor, np.full((360, 640, 3), 127, np.uint8), name)
        return detector

    @property
    def name(self) -> str:
        return self._name

    @property
    def notes(self) -> tuple[str, ...]:
        """As in `PhraseDetector`."""
        cut = [phrase for phrase, query in self._queries.items() if query.cut]
        empty = [phrase for phrase, query in self._queries.items() if not query.pieces]
        return (
            *(
                f"{quoted(phrase)} is too long for the detector, which looks for its beginning"
                for phrase in cut
            ),
            *(f"{quoted(phrase)} has no word that the detector could look for" for phrase in empty),
        )

    @torch.inference_mode()
    def find(self, images: Sequence[Image], phrases: Sequence[str]) -> list[list[tuple[Box, ...]]]:
        """As in `PhraseDetector`.

        Raises InputError if an image can't be prepared as the processor's settings say, or not be processed then.
        """
        queries = [self._query(phrase) for phrase in phrases]
        return [self._find(image, phrases, queries) for image in images]

    def _query(self, phrase: str) -> Query:
        """The phrase as the model reads it; empty if it has no letter and no digit."""
        if phrase not in self._queries:
            with one_line(f"{self.name}: the tokenizer can't split {quoted(phrase)} into wordpieces"):
                named = any(map(str.isalnum, phrase))
                query = self.family.query(" ".join(phrase.split())) if named else Query((), False)
                highest, known = max(query.pieces, default=0), self.model.config.text_config.vocab_size
                if highest >= known:
                    raise ValueError(
                        f"it has one with the number {highest}, and the model {known} embeddings"
                    )
            self._queries[phrase] = query
        return self._queries[phrase]

    def _find(self, image: Image, phrases: Sequence[str], queries: Sequence[Query]) -> list[tuple[Box, ...]]:
        asked = list(dict.fromkeys(query for query in queries if query.pieces))
        if not asked:
            return [() for _ in queries]
        prepared = prepare(self.processor, image, self.name)
        with one_line(f"{self.name}: the model can't process an image prepared as its settings say"):
            seen = dict(zip(asked, self.family.look(prepared, asked), strict=True))
            if not all(values.isfinite().all() for scored in seen.values() for values in scored):
                raise ValueError("its boxes or scores are not finite (NaN)")
        height, width = image.shape[:2]
        return [
            self._boxes(seen[query], phrase, width, height) if query.pieces else ()
            for phrase, query in zip(phrases, queries, strict=True)
        ]

    def _boxes(self, scored: Scored, phrase: str, width: int, height: int) -> tuple[Box, ...]:
        """The boxes found for a phrase, in pixels of an image of this size."""
        good = scored.scores >= self.family.threshold
        corners = _corners(scored.boxes[good]) * torch.tensor(self.family.canvas(width, height) * 2)
        corners = corners.clamp(min=0).minimum(torch.tensor([width, height] * 2))
        keep = _distinct(corners, scored.scores[good])
        rows = zip(corners[keep].tolist(), scored.scores[good][keep].tolist(), strict=True)
        return tuple(
            Box(left, top, right, bottom, phrase, score) for (left, top, right, bottom), score in rows
        )


def _corners(boxes: Tensor) -> Tensor:
    """(N, 4): left, top, right, bottom of boxes given by centre, width and height."""
    centres, halves = boxes[:, :2], boxes[:, 2:] / 2
    return torch.cat([centres - halves, centres + halves], 1)


def _distinct(corners: Tensor, scores: Tensor) -> Tensor:
    """Positions of the best boxes, best first, that are no slivers and that no better one suppresses."""
    order = scores.argsort(descending=True, stable=True)
    order = order[(corners[order, 2:] - corners[order, :2] >= LEAST_SIDE).all(1)][:MOST_COMPARED]
    overlaps = tensor_box_iou(corners[order], corners[order]) > SAME_OBJECT
    keep: list[int] = []
    for i in range(len(order)):
        if len(keep) < MOST_BOXES and not overlaps[i, keep].any():
            keep.append(i)
    return order[keep]
