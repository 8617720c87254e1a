"""`avtca cv`: cross-validate a configuration."""

from pathlib import Path

from avtca import cli
from avtca.cli.train import (
    Board,
    Changes,
    ConfigFile,
    DryRun,
    Progress,
    RunFolder,
    Threads,
    open_data,
    try_step,
)
from avtca.text import printable


def cv(
    config: ConfigFile,
    set: Changes = None,
    out: RunFolder = None,
    board: Board = True,
    progress: Progress = True,
    threads: Threads = None,
    dry_run: DryRun = False,
) -> None:
    """Cross-validate a network over folds and seeds.

    An interrupted run is resumed by the same command. Prints the mean over seeds with a bootstrap
    interval over speakers, the standard deviation over folds, and the value of each seed.
    """
    from rich.console import Console
    from rich.table import Table

    from avtca.model import require_torch
    from avtca.training.config_file import load_experiment

    require_torch("avtca cv")
    experiment = load_experiment(config, set or [])
    from avtca.training.cross_validate import cross_validate, require_test_samples, table

    data_module, main = open_data(experiment, threads)
    folder = out or Path("runs") / experiment.name
    total = len(experiment.seeds) * len(data_module.rows)
    if dry_run:
        require_test_samples(data_module)
        try_step(experiment, data_module, folder, main, runs=total)
        return

    def before(seed: int, fold: int) -> None:
        nth = experiment.seeds.index(seed) * len(data_module.rows) + fold + 1
        if main:
            cli.err.print(f"seed {seed}, fold {fold} ({nth} of {total})")

    result = cross_validate(
        experiment, data_module, folder, progress=progress and main, board=board, before=before
    )
    if not main:
        return
    title = f"{experiment.name}: {data_module.folds.name}, {result['samples']} samples"
    shown = Table(title=printable(title))
    for head in ("metric", "% [95 % over speakers]", "sd over folds", "seeds"):
        shown.add_column(head)
    for row in table(result):
        shown.add_row(*map(printable, row))
    Console(markup=False).print(shown)
    cli.echo(f"result: {folder / 'result.json'}")
