"""`avtca train`: train one fold of a configuration."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from avtca import cli


def train(
    config: Annotated[Path, typer.Argument(help="A YAML file; see configs/.")],
    set: Annotated[
        list[str] | None, typer.Option(help="Change a key: train.epochs=10. Repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run [default: runs/<name of the config>]")
    ] = None,
    board: Annotated[bool, typer.Option(help="Write TensorBoard logs to OUT/board.")] = True,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
    threads: Annotated[
        int | None, typer.Option(help="Threads per operation [default: PyTorch's]", min=1)
    ] = None,
) -> None:
    """Train a network on one fold; an interrupted run is resumed to the same result.

    The fold is data.fold, the seed train.seed. Under torchrun, all processes train one network.
    Prints the validation metrics, then the test metrics.
    """
    from avtca.evaluation.aggregate import summarise
    from avtca.evaluation.predictions import Predictions
    from avtca.model import require_torch
    from avtca.training.config_file import load_experiment

    require_torch("avtca train")
    experiment = load_experiment(config, set or [])
    from avtca.training.distributed import process_rank
    from avtca.training.fold import load_data_module, require_config, run_fold, write_config
    from avtca.training.trainer import torch_threads

    if threads:
        torch_threads(threads)
    folder = out or Path("runs") / experiment.name
    data_module = load_data_module(experiment, folds=[experiment.data.fold])
    main = process_rank() == 0
    if main:
        warn(data_module.folds.warning, data_module.caveat)
    require_config(folder, experiment, data_module)
    result = run_fold(
        experiment,
        data_module,
        fold=experiment.data.fold,
        seed=experiment.train.seed,
        out=folder,
        progress=progress and main,
        board=board,
        begin=partial(write_config, folder, experiment, data_module),
    )
    if not main:
        return
    figures = ", ".join(f"{name} {value:.4f}" for name, value in result.figures.items())
    typer.echo(f"validation (epoch {result.epoch + 1}): {figures or 'none'}")
    if (folder / "test.csv").exists():
        found = summarise({0: [Predictions.load(folder / "test.csv")]}).to_dict()
        typer.echo(f"test: {line(found)}")
    typer.echo(f"run: {folder}")


def line(found: dict[str, object]) -> str:
    """The metrics with their intervals, in percent."""
    parts = []
    for name, interval in found.items():
        if name in ("accuracy", "uar", "weighted_f1", "macro_f1") and isinstance(interval, list):
            if interval[0] is None:
                continue
            value, *ends = (f"{100 * x:.1f}" for x in interval if x is not None)
            parts.append(f"{name} {value}" + (f" [{', '.join(ends)}]" if ends else ""))
    return ", ".join(parts)


def warn(warning: str, caveat: str) -> None:
    """Print the caveats of the split on standard error."""
    if warning:
        cli.err.print(f"warning: {warning}", markup=False)
    if caveat != "clean":
        cli.err.print(f"split: {caveat}", markup=False)
