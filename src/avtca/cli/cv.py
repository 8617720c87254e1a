"""`avtca cv`: cross-validate a configuration."""

from pathlib import Path
from typing import Annotated

import typer

from avtca import cli


def cv(
    config: Annotated[Path, typer.Argument(help="A YAML file; see configs/.")],
    set: Annotated[
        list[str] | None, typer.Option(help="Change a key: train.epochs=10. Repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the runs [default: runs/<name of the config>]")
    ] = None,
    board: Annotated[bool, typer.Option(help="Write TensorBoard logs beside each run.")] = True,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
    threads: Annotated[
        int | None, typer.Option(help="Threads per operation [default: PyTorch's]", min=1)
    ] = None,
) -> None:
    """Cross-validate: train and test every fold with every seed; an interrupted run is resumed.

    Prints the mean over seeds with a bootstrap interval over speakers, the standard deviation over
    folds, and the value of each seed.
    """
    from rich.table import Table

    from avtca.cli.train import warn
    from avtca.model import require_torch
    from avtca.training.config_file import load_experiment

    require_torch("avtca cv")
    experiment = load_experiment(config, set or [])
    from avtca.training.cross_validate import cross_validate, table
    from avtca.training.distributed import process_rank
    from avtca.training.fold import load_data_module
    from avtca.training.trainer import torch_threads

    if threads:
        torch_threads(threads)
    data_module = load_data_module(experiment)
    main = process_rank() == 0
    if main:
        warn(data_module.folds.warning, data_module.caveat)
    folder = out or Path("runs") / experiment.name
    total = len(experiment.seeds) * len(data_module.rows)

    def before(seed: int, fold: int) -> None:
        nth = experiment.seeds.index(seed) * len(data_module.rows) + fold + 1
        if main:
            cli.err.print(f"seed {seed}, fold {fold} ({nth} of {total})", markup=False)

    result = cross_validate(
        experiment, data_module, folder, progress=progress and main, board=board, before=before
    )
    if not main:
        return
    shown = Table(title=f"{experiment.name}: {data_module.folds.name}, {result['samples']} samples")
    for head in ("metric", "% [95 % over speakers]", "sd over folds", "seeds"):
        shown.add_column(head)
    for row in table(result):
        shown.add_row(*row)
    from rich.console import Console

    Console().print(shown)
    typer.echo(f"result: {folder / 'result.json'}")
