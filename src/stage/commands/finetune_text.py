"""`stage finetune-text`: a BERT that knows how a data set's people speak."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def finetune_text(
    data: Annotated[Path, typer.Argument(help="A data folder, or FOLDER/SPLIT of a known layout.")],
    out: Annotated[Path, typer.Argument(help="Folder for the fine-tuned model.")],
    text: Annotated[str, typer.Option(help="minilm, or a BERT (folder or hub name).")] = "minilm",
    epochs: Annotated[int, typer.Option(min=1)] = 3,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    learning_rate: Annotated[float, typer.Option(min=0)] = 5e-5,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 2018,
) -> None:
    """Fine-tune a BERT on subtitles and question-answer pairs with masked words and next sentences."""
    from stage.data.layouts.registry import read_text
    from stage.training.text_encoder import finetune

    questions, clips = read_text(data)
    before, after = finetune(
        text,
        out,
        questions,
        clips,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
    )
    for when, scores in (("before", before), ("after", after)):
        print(
            f"{when}: perplexity of masked words {scores.perplexity:.2f}, "
            f"next sentence told right {100 * scores.next_sentence_accuracy:.1f} % (held-out text)"
        )
    print(f"the model is in {out}; use it with `stage features text DATA --text {out}`")
