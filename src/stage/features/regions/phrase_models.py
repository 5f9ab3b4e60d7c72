"""Models that find phrases in an image: OWL-ViT and OWLv2, Grounding DINO, each with its prompts and scores"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from stage.errors import InputError

LEADING_ARTICLE = re.compile(r"^(a|an|the) (?=\S)", re.IGNORECASE)
SEPARATORS = re.compile(r"[.?]")
"""They end a phrase of Grounding DINO's prompts, and so can't be in one."""


class Query(NamedTuple):
    """A phrase as a model reads it."""

    pieces: tuple[int, ...]
    """Its wordpieces, with special tokens; none if nothing is left of the phrase."""
    cut: bool
    """Whether the phrase was too long, and its end is missing."""


class Scored(NamedTuple):
    """What a model sees of one phrase in one image."""

    boxes: Tensor
    """(N, 4): centre (x, y), width and height, as shares of the canvas, see `PhraseModel.canvas`."""
    scores: Tensor
    """(N,), in [0, 1]"""


class PhraseModel(Protocol):
    """A family of models, with what is particular to it."""

    threshold: float
    """Boxes with a lower score are not found."""

    def query(self, phrase: str) -> Query:
        """The phrase as the model reads it."""

    def look(self, prepared: Mapping[str, Tensor], queries: Sequence[Query]) -> list[Scored]:
        """Look for each of the queries, none of which is empty, in a prepared image."""

    def canvas(self, width: int, height: int) -> tuple[int, int]:
        """Width and height in pixels of what boxes are shares of, for an image of this size."""


class Owl:
    """OWL-ViT and OWLv2 (Minderer et al., 2022 and 2023).

    An image is encoded once, and every phrase is compared with what was seen at each of its patches. The score of a
    phrase is the sigmoid of its own logit: what other phrases are asked for makes no difference.
    """

    threshold = 0.1

    def __init__(self, model: Any, tokenizer: Any, *, pads: bool) -> None:
        """pads: whether images are padded to a square, at their right or bottom, before they are resized."""
        self.model, self.tokenizer, self.pads = model, tokenizer, pads
        self.longest = int(model.config.text_config.max_position_embeddings)

    def query(self, phrase: str) -> Query:
        """The phrase in the prompt of the training; by itself, if there is no room for the prompt."""
        name = LEADING_ARTICLE.sub("", phrase)
        if not name:
            return Query((), False)
        for text in (f"a photo of a {name}", name):
            pieces = self.tokenizer(text, verbose=False)["input_ids"]
            if len(pieces) <= self.longest:
                return Query(tuple(pieces), False)
        pieces = self.tokenizer(name, truncation=True, max_length=self.longest)["input_ids"]
        return Query(tuple(pieces), True)

    def look(self, prepared: Mapping[str, Tensor], queries: Sequence[Query]) -> list[Scored]:
        ids = torch.zeros((len(queries), self.longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, query in enumerate(queries):
            ids[row, : len(query.pieces)] = torch.tensor(query.pieces)
            mask[row, : len(query.pieces)] = 1
        device = self.model.device
        output = self.model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            pixel_values=prepared["pixel_values"].to(device),
        )
        boxes = output.pred_boxes[0].float().cpu()
        scores = output.logits[0].float().cpu().sigmoid()
        return [Scored(boxes, scores[:, i]) for i in range(len(queries))]

    def canvas(self, width: int, height: int) -> tuple[int, int]:
        return (max(width, height),) * 2 if self.pads else (width, height)


class GroundingDino:
    """Grounding DINO (Liu et al., 2023) and MM-Grounding DINO (Zhao et al., 2024).

    Image and text are fused from the beginning, so what is found for a phrase depends on all of the prompt. Each
    phrase is therefore a prompt of its own: what is found for it is the same whatever else is asked for. The score of
    a box is that of the phrase's best wordpiece; [CLS], [SEP] and the full stop don't count.
    """

    threshold = 0.25

    def __init__(self, model: Any, tokenizer: Any) -> None:
        """Raises InputError if the tokenizer isn't that of BERT (uncased), by whose numbers the text is masked."""
        self.model, self.tokenizer = model, tokenizer
        start, end, stop = (tokenizer.convert_tokens_to_ids(token) for token in ("[CLS]", "[SEP]", "."))
        if [start, end, stop] != model.model.special_tokens.tolist()[:3]:
            raise InputError(
                f"{tokenizer.name_or_path}: its tokenizer numbers [CLS], [SEP] and the full stop otherwise than that "
                "of BERT (uncased), with which this kind of model is built; get the whole model again"
            )
        self.start, self.end = (start,), (stop, end)
        config = model.config
        self.longest = min(config.max_text_len, config.text_config.max_position_embeddings) - 3

    def query(self, phrase: str) -> Query:
        text = SEPARATORS.sub(" ", phrase.lower())
        pieces = tuple(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
        if not pieces:
            return Query((), False)
        return Query((*self.start, *pieces[: self.longest], *self.end), len(pieces) > self.longest)

    def look(self, prepared: Mapping[str, Tensor], queries: Sequence[Query]) -> list[Scored]:
        device = self.model.device
        image = {key: values.to(device) for key, values in prepared.items() if key.startswith("pixel_")}
        return [self._look(image, query) for query in queries]

    def _look(self, image: Mapping[str, Tensor], query: Query) -> Scored:
        ids = torch.tensor([query.pieces], device=self.model.device)
        output = self.model(
            **image, input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids)
        )
        words = slice(len(self.start), len(query.pieces) - len(self.end))
        scores = output.logits[0, :, words].float().cpu().sigmoid()
        return Scored(output.pred_boxes[0].float().cpu(), scores.amax(-1))

    def canvas(self, width: int, height: int) -> tuple[int, int]:
        return width, height
