"""`avtca train`: train one fold of a configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avtca import cli

if TYPE_CHECKING:
    from avtca.data.data_module import DataModule
    from avtca.evaluation.report import Metrics
    from avtca.training.config import ExperimentConfig

ConfigFile = Annotated[Path, typer.Argument(help="A YAML file; see configs/.")]
Changes = Annotated[
    list[str] | None, typer.Option(help="Change a key: train.epochs=10. Repeatable.")
]
RunFolder = Annotated[
    Path | None, typer.Option(help="Folder of the run [default: runs/<name of the config>]")
]
Board = Annotated[bool, typer.Option(help="Write TensorBoard logs beside each run.")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Check everything, train one step in a temporary folder, write nothing."
    ),
]
Progress = Annotated[bool, typer.Option(help="Show a progress bar.")]
Threads = Annotated[
    int | None, typer.Option(help="Threads per operation [default: PyTorch's]", min=1)
]


def train(
    config: ConfigFile,
    set: Changes = None,
    out: RunFolder = None,
    board: Board = True,
    progress: Progress = True,
    threads: Threads = None,
    dry_run: DryRun = False,
) -> None:
    """Train a network on one fold.

    An interrupted run is resumed by the same command, to the same result. The fold is data.fold,
    the seed train.seed. Under torchrun, all processes train one network. Prints the validation
    metrics, then the test metrics.
    """
    from avtca.evaluation.aggregate import estimate_metrics
    from avtca.evaluation.predictions import Predictions
    from avtca.model import require_torch
    from avtca.training.config_file import load_experiment

    require_torch("avtca train")
    experiment = load_experiment(config, set or [])
    from avtca.training.fold import run_fold

    data_module, main = open_data(experiment, threads, folds=[experiment.data.fold])
    folder = out or Path("runs") / experiment.name
    if dry_run:
        try_step(experiment, data_module, folder, main, runs=1)
        return
    result = run_fold(
        experiment,
        data_module,
        fold=experiment.data.fold,
        seed=experiment.train.seed,
        out=folder,
        progress=progress and main,
        board=board,
    )
    if not main:
        return
    figures = ", ".join(f"{name} {value:.4f}" for name, value in result.figures.items())
    cli.echo(f"validation (epoch {result.epoch + 1}): {figures or 'none'}")
    if (folder / "test.csv").exists():
        found = estimate_metrics(Predictions.load(folder / "test.csv"))
        cli.echo(f"test: {line(found)}")
    cli.echo(f"run: {folder}")


def open_data(
    experiment: "ExperimentConfig", threads: int | None, folds: Sequence[int] | None = None
) -> "tuple[DataModule, bool]":
    """The data of a configuration for these folds, and whether this is the main process.

    The main process prints the caveats of the split.
    """
    from avtca.training.distributed import process_rank
    from avtca.training.fold import load_data_module
    from avtca.training.trainer import torch_threads

    if threads:
        torch_threads(threads)
    data_module = load_data_module(experiment, folds=folds)
    main = process_rank() == 0
    if main:
        if data_module.folds.warning:
            cli.err.print(f"warning: {data_module.folds.warning}")
        show_caveats(data_module.caveat)
    return data_module, main


def try_step(
    experiment: "ExperimentConfig", data_module: "DataModule", out: Path, main: bool, runs: int
) -> None:
    """Do and print a dry run of a training of so many runs."""
    from avtca.training import dry_run

    fold, seed = experiment.data.fold, experiment.train.seed
    found = dry_run.dry_run(experiment, data_module, fold=fold, seed=seed, out=out)
    for each in found.lines(runs) if main else ():
        cli.echo(each)


def line(metrics: "Metrics") -> str:
    """The metrics with their intervals, in percent."""
    from avtca.evaluation.report import METRIC_NAMES, format_percent

    known = [name for name in METRIC_NAMES if metrics[name].value is not None]
    return ", ".join(f"{name} {format_percent(metrics[name])}" for name in known)


def show_caveats(caveats: str) -> None:
    """Print the caveats of a split on standard error, if there are any."""
    if caveats != "clean":
        cli.err.print(f"split: {caveats}")
