"""`avtca evaluate`: the performance of a model on speakers it has not seen."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from avtca import cli
from avtca.cli.progress import ProgressBar

TestData = Annotated[
    Path,
    typer.Argument(
        help="A prepared corpus; for default or an exported model also a CSV "
        "(path,label,speaker ...) or folders LABEL/SPEAKER/."
    ),
]
Folds = Annotated[
    str | None, typer.Option(help="Folds to test on [default: those of the training]")
]
Fold = Annotated[int | None, typer.Option(help="Which of --folds, from 0.")]
Seed = Annotated[
    int | None, typer.Option(help="Which seed of a cross-validation [default: the first]")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
AllowLeak = Annotated[
    bool,
    typer.Option(
        "--allow-leak",
        help="Evaluate even if test speakers were in the training data; the report is flagged.",
    ),
]


def evaluate(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            parser=cli.model_path,
            metavar="MODEL",
            help="default (the packaged model), an exported model's folder, a checkpoint, a run's "
            "folder, or one of avtca cv.",
        ),
    ],
    data: TestData,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the report [default: beside a checkpoint; else here]"),
    ] = None,
    folds: Folds = None,
    fold: Fold = None,
    seed: Seed = None,
    device: Device = "auto",
    allow_leak: AllowLeak = False,
) -> None:
    """Write evaluation.json, evaluation.html and evaluation.csv.

    Metrics with speaker intervals, each label, calibration, prediction sets, abstention, missing
    modalities, groups of samples, and human raters where the corpus has their votes.
    """
    from avtca.cli.train import line, show_caveats
    from avtca.model import require_torch

    require_torch("avtca evaluate")
    from avtca.evaluation.evaluate import evaluate_model
    from avtca.evaluation.open_model import open_model
    from avtca.plots.html import evaluation_html

    inside = checkpoint if checkpoint.is_dir() else checkpoint.parent
    folder = out or (Path() if (inside / "avtca.json").is_file() else inside) / "evaluation"
    with ProgressBar() as bar:
        model = open_model(
            checkpoint,
            data,
            folder / "clips",
            folds=folds,
            fold=fold,
            seed=seed,
            allow_leak=allow_leak,
            device=device,
            workers=os.cpu_count() or 1,
            progress=bar,
        )
    show_caveats(model.split.caveat)
    report = evaluate_model(model)
    if gone := report.left_out:
        cli.err.print(f"left out: {', '.join(gone.what)}: {gone.why}")
    text = json.dumps(report.to_dict(), indent=1)
    files = {"evaluation.json": text, "evaluation.html": evaluation_html(report)}
    cli.write_results(folder, files)
    model.predict().save(folder / "evaluation.csv")
    cli.echo(line(report.metrics))
    for name, metrics in report.modalities.items():
        cli.echo(f"{name}: {line(metrics)}")
    cli.echo(f"report: {folder / 'evaluation.html'}")
    if model.split.failed:
        raise typer.Exit(2)
