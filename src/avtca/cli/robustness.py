"""`avtca robustness`: the performance of models on degraded audio and video."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from avtca import cli
from avtca.cli.evaluate import AllowLeak, Device, Fold, Folds, Seed, TestData
from avtca.cli.figures import Figures
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
    data: TestData,
    condition: Annotated[
        list[str] | None, typer.Option(help="Only this condition. Repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("robustness"),
    folds: Folds = None,
    fold: Fold = None,
    seed: Seed = None,
    device: Device = "auto",
    figures: Figures = None,
    allow_leak: AllowLeak = False,
) -> None:
    """Evaluate models on degraded input; writes a page and JSON.

    Conditions: a missing modality, noise, reverberation, codecs, dropped and black frames, blur,
    occlusion, noise on features, audio shifted against the video, and shorter clips.
    """
    from avtca.model import require_torch

    require_torch("avtca robustness")
    from avtca.cli.train import show_caveats
    from avtca.evaluation.open_model import open_model
    from avtca.evaluation.robustness import measure_robustness
    from avtca.evaluation.run_folders import distinct_names
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
        show_caveats(caveat)
    with ProgressBar() as bar:
        report = measure_robustness(models, condition or (), progress=bar)
    text = json.dumps(report.to_dict(), indent=1)
    files = {"robustness.json": text, "robustness.html": robustness_html(report)}
    cli.write_results(out, files)
    if figures is not None:
        from avtca.plots.robustness_figures import robustness_figures

        figures.write(robustness_figures(report), out / "figures")
    for name, curves in report.systems.items():
        for tested, points in curves.items():
            values = ", ".join(f"{p.level}: {short(p.accuracy.value)}" for p in points)
            cli.echo(f"{name}, {tested}: {values}")


def short(value: float | None) -> str:
    """An accuracy in percent."""
    return "no value" if value is None else f"{100 * value:.1f}"
