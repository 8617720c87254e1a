"""`avtca finetune`: fine-tune a trained network on own labelled clips."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avtca import cli
from avtca.cli.evaluate import Tier
from avtca.cli.progress import ProgressBar
from avtca.cli.train import line

if TYPE_CHECKING:
    from avtca.finetune.report import FineTuneReport

FAILED = 2
"""Exit status if some clips could not be decoded; the model is trained on the others."""


def finetune(
    checkpoint: Annotated[
        str,
        typer.Argument(help="default (the packaged model), a model's folder, or a checkpoint."),
    ],
    clips: Annotated[
        Path,
        typer.Argument(
            help="CSV (path,label,speaker ...), folders LABEL/SPEAKER/, or EAF files of ELAN."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the new model.")],
    epochs: Annotated[
        int | None,
        typer.Option(help="Maximum of epochs [default: from the number of clips]", min=1),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Learning rate of AdamW [default: 0.0003]", min=1e-7, max=0.1),
    ] = None,
    allow_leak: Annotated[
        bool,
        typer.Option("--allow-leak", help="Split by clips, not speakers; the card is marked LEAK."),
    ] = False,
    tier: Tier = None,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
    workers: Annotated[
        int | None, typer.Option(help="Processes that decode clips [default: one per core]", min=0)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads per operation [default: PyTorch's]", min=1)
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Try a few clips for one epoch, write nothing."),
    ] = False,
) -> None:
    """Fine-tune a trained network on your own labelled clips.

    A cross-validation over speakers measures the accuracy on unseen speakers, before and after;
    then one network is trained and exported with its model card. An interrupted command is resumed
    by the same command. Clips that cannot be decoded are listed, the others are used, and the exit
    status is 2.
    """
    from avtca.model import require_torch

    require_torch("avtca finetune")
    from avtca.finetune import finetune as command
    from avtca.training.trainer import torch_threads

    if threads:
        torch_threads(threads)
    workers = (os.cpu_count() or 1) if workers is None else workers
    with ProgressBar(shown=progress) as bar:
        if dry_run:
            from avtca.finetune.dry_run import dry_run as trial

            found = trial(
                checkpoint,
                clips,
                allow_leak=allow_leak,
                tier=tier,
                workers=workers,
                message=bar.print,
                progress=bar,
            )
            for each in found:
                cli.echo(each)
            return
        report = command.finetune(
            checkpoint,
            clips,
            out,
            epochs=epochs,
            learning_rate=learning_rate or command.LEARNING_RATE,
            allow_leak=allow_leak,
            tier=tier,
            workers=workers,
            message=bar.print,
            progress=bar,
            bars=progress,
        )
    show(report)
    cli.echo(f"model: {out}; try it with: avtca predict --model {out} CLIP")
    cli.echo(f"card: {out / 'MODEL_CARD.md'}")
    cli.echo(f"held-out predictions: {out / 'held_out.csv'}, page: {out / 'evaluation.html'}")
    if report.failed:
        cli.err.print(f"{report.failed} clips could not be read, see above")
        raise typer.Exit(FAILED)


def show(report: "FineTuneReport") -> None:
    """Print the metrics before and after, and their change."""
    from avtca.finetune.model_card import INPUTS, points

    names = {"before": "before", "before_limited": "before, among the clips' labels"}
    names |= {"after_known": "after, on the same clips", "after": "after"}
    for name, summary in report.rows().items():
        cli.echo(f"{names[name]} ({summary.samples} clips): {line(summary)}")
    for name, found in (report.change or {}).items():
        change = points([found.value, found.low, found.high])
        cli.echo(f"change of {name} on the same clips and labels: {change}")
    fitted = {name: one for name, one in (report.thresholds or {}).items() if one.threshold}
    if not fitted:
        cli.echo("no confidence threshold: too few held-out clips, or too few of them correct")
    for name, one in fitted.items():
        cli.echo(
            f"confidence threshold for {INPUTS[name]}: {one.threshold:.3f}, "
            f"{one.answered:.0%} of {one.samples} clips are above it"
        )
