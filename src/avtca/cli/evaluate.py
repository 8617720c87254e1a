"""`avtca evaluate`: what a trained network is worth on people it has not seen."""

import json
from pathlib import Path
from typing import Annotated

import typer

from avtca import cli
from avtca.errors import ConfigError


def evaluate(
    checkpoint: Annotated[
        Path, typer.Argument(help="A checkpoint, a run's folder, or one of avtca cv.")
    ],
    data: Annotated[Path, typer.Argument(help="A prepared corpus.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report [default: beside the checkpoint]")
    ] = None,
    folds: Annotated[
        str | None, typer.Option(help="Folds to test by [default: those it was trained with]")
    ] = None,
    fold: Annotated[int | None, typer.Option(help="Which of --folds, from 0.")] = None,
    seed: Annotated[int, typer.Option(help="Which seed of a cross-validation.")] = 0,
    allow_leak: Annotated[
        bool, typer.Option("--allow-leak", help="Test on people trained on; the mark stays.")
    ] = False,
) -> None:
    """Write evaluation.json, evaluation.html and evaluation.csv.

    Figures with speaker intervals, each label, calibration, prediction sets, abstention, each
    modality taken away, groups, and human raters where the corpus has their votes.
    """
    from avtca.cli.train import line, warn
    from avtca.model import require_torch

    require_torch("avtca evaluate")
    from avtca.evaluation.study import study
    from avtca.evaluation.systems import open_system
    from avtca.plots.evaluation import page

    system = open_system(checkpoint, data, folds=folds, fold=fold, seed=seed, allow_leak=allow_leak)
    warn("", system.mark)
    result = study(system)
    folder = out or (checkpoint if checkpoint.is_dir() else checkpoint.parent) / "evaluation"
    write(folder, "evaluation", json.dumps(result, indent=1), page(result))
    system.answers().save(folder / "evaluation.csv")
    typer.echo(line(result["metrics"]))
    for name, one in result["modalities"].items():
        typer.echo(f"{name}: {line(one)}")
    typer.echo(f"report: {folder / 'evaluation.html'}")


def write(folder: Path, name: str, text: str, html: str) -> None:
    """A JSON and an HTML file. Raises :class:`ConfigError` where the folder cannot be written."""
    from avtca.files import write_atomic

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / f"{name}.json", text)
        write_atomic(folder / f"{name}.html", html)
    except OSError as error:
        raise ConfigError(f"write {folder}", str(error), "choose another --out") from error
    cli.err.print(f"written: {folder / name}.json, .html", markup=False)
