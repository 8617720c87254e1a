"""`avtca finetune`: a trained network adapted to own labelled clips."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from avtca import cli
from avtca.cli.progress import ProgressBar
from avtca.cli.train import line

FAILED = 2
"""Exit status where some clips could not be read; the model is made of the others."""


def finetune(
    checkpoint: Annotated[
        str,
        typer.Argument(help="default (the packaged model), a model's folder, or a checkpoint."),
    ],
    clips: Annotated[
        Path, typer.Argument(help="CSV (path,label,speaker ...) or folders LABEL/SPEAKER/.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the new model.")],
    epochs: Annotated[
        int | None, typer.Option(help="Epochs at most [default: by the number of clips]", min=1)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of AdamW [default: 0.0003]", min=1e-7, max=0.1)
    ] = None,
    allow_leak: Annotated[
        bool, typer.Option("--allow-leak", help="Do without speakers; the card says LEAK.")
    ] = False,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
    workers: Annotated[
        int | None, typer.Option(help="Processes that read clips [default: one a core]", min=0)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of one operation [default: PyTorch's]", min=1)
    ] = None,
) -> None:
    """Adapt a trained network to your own labelled clips.

    A cross-validation over speakers says what it is worth on people it was not trained on, before
    and after; then one network is trained and exported with its model card. It can be stopped at
    any moment; the same command goes on where it was. Clips that cannot be read are named, the
    others are used, and the exit status is 2.
    """
    from avtca.model import require_torch

    require_torch("avtca finetune")
    from avtca.finetune import finetune as command
    from avtca.training.trainer import torch_threads

    if threads:
        torch_threads(threads)
    with ProgressBar(shown=progress) as bar:
        result = command.finetune(
            checkpoint,
            clips,
            out,
            epochs=epochs,
            learning_rate=learning_rate or command.LEARNING_RATE,
            allow_leak=allow_leak,
            workers=(os.cpu_count() or 1) if workers is None else workers,
            say=bar.print,
            progress=bar,
            bars=progress,
        )
    show(result)
    typer.echo(f"model: {out}; try it with: avtca predict --model {out} CLIP")
    typer.echo(f"card: {out / 'MODEL_CARD.md'}")
    if result["failed"]:
        cli.err.print(f"{result['failed']} clips could not be read, see above", markup=False)
        raise typer.Exit(FAILED)


def show(result: dict[str, Any]) -> None:
    """Figures before and after, and what changed, on standard output."""
    from avtca.finetune.model_card import points

    names = {"before": "before", "before_limited": "before, among the clips' labels"}
    names |= {"after_known": "after, on the same clips", "after": "after"}
    for key, text in names.items():
        if result.get(key):
            typer.echo(f"{text} ({result[key]['samples']} clips): {line(result[key])}")
    for name, found in result.get("change", {}).items():
        ends = [found[key] for key in ("value", "low", "high")]
        typer.echo(f"change of {name} on the same clips and labels: {points(ends)}")
