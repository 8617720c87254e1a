"""`avtca robustness`: the performance of models on degraded audio and video."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from avtca import cli
from avtca.cli.progress import ProgressBar


def robustness(
    checkpoint: Annotated[
        list[Path],
        typer.Argument(
            parser=cli.model_path,
            metavar="MODEL",
            help="default (the packaged model), exported models, checkpoints, runs' folders or "
            "ones of avtca cv, side by side.",
        ),
    ],
    data: Annotated[
        Path,
        typer.Argument(
            help="A prepared corpus; for default or exported models also a CSV "
            "(path,label,speaker ...) or folders LABEL/SPEAKER/."
        ),
    ],
    condition: Annotated[
        list[str] | None, typer.Option(help="Only this condition. Repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("robustness"),
    folds: Annotated[
        str | None, typer.Option(help="Folds to test on [default: those they were trained with]")
    ] = None,
    fold: Annotated[int | None, typer.Option(help="Which of --folds, from 0.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Which seed of a cross-validation [default: the first]")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    allow_leak: Annotated[
        bool,
        typer.Option(
            "--allow-leak",
            help="Evaluate even if test speakers were in the training data; the report is flagged.",
        ),
    ] = False,
) -> None:
    """Write robustness.json and robustness.html with a curve for each condition.

    Conditions: a missing modality, noise, reverberation, codecs, dropped and black frames, blur,
    occlusion, noise on features, audio shifted against the video, and shorter clips.
    """
    from avtca.model import require_torch

    require_torch("avtca robustness")
    from avtca.cli.evaluate import write
    from avtca.cli.train import warn
    from avtca.evaluation.open_model import open_model
    from avtca.evaluation.predictions import distinct_names
    from avtca.evaluation.robustness import measure_robustness
    from avtca.plots.html import robustness_html

    with ProgressBar() as bar:
        models = [
            open_model(
                path,
                data,
                out / "clips",
                folds=folds,
                fold=fold,
                seed=seed,
                allow_leak=allow_leak,
                device=device,
                workers=os.cpu_count() or 1,
                progress=bar,
            )
            for path in checkpoint
        ]
    names = distinct_names([model.name for model in models], checkpoint)
    models = [replace(model, name=name) for model, name in zip(models, names, strict=True)]
    for caveat in sorted({model.split.caveat for model in models}):
        warn("", caveat)

    def progress(model: str, condition: str, level: object) -> None:
        cli.err.print(f"{model}: {condition} {level}", markup=False)

    report = measure_robustness(models, condition or (), progress=progress)
    write(out, "robustness", json.dumps(report.to_dict(), indent=1), robustness_html(report))
    for name, curves in report.systems.items():
        for tested, points in curves.items():
            values = ", ".join(f"{p.level}: {100 * (p.accuracy.value or 0):.1f}" for p in points)
            typer.echo(f"{name}, {tested}: {values}")
