"""`stage finetune-text`: fine-tune BERT on the text of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stage.terminal import echo


def finetune_text(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A data folder, or FOLDER/SPLIT of another known layout.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the fine-tuned model.")],
    text: Annotated[
        str, typer.Option(help="Model to start from: minilm, or a BERT model (folder or hub name).")
    ] = "minilm",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs to train.")] = 3,
    batch_size: Annotated[int, typer.Option(min=1, help="Sentence pairs per step.")] = 32,
    learning_rate: Annotated[float, typer.Option(min=0, help="Peak learning rate.")] = 5e-5,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Random seed.")] = 2018,
) -> None:
    """Fine-tune BERT on subtitles and question-answer pairs.

    The objectives are those of BERT's pre-training: masked words and next
    sentences. An interrupted run is resumed.
    """
    from stage.commands.progress import progress_bar
    from stage.data.layouts.registry import read_annotation
    from stage.training.text_encoder import check_replaceable, finetune

    check_replaceable(out, text)
    questions, clips = read_annotation(data)
    with progress_bar("Fine-tuning") as progress:
        before, after = finetune(
            text,
            out,
            questions,
            clips,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
            progress=progress,
        )
    for when, scores in (("before", before), ("after", after)):
        echo(
            f"{when}: perplexity of masked words {scores.perplexity:.2f}, "
            f"accuracy of next sentences {100 * scores.next_sentence_accuracy:.1f} % (held-out text)"
        )
    echo(f"{out}: the fine-tuned model; use it with `stage features text DATA --text {out}`")
