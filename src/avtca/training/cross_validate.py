"""Cross-validation: all folds and seeds of an experiment."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from avtca.data.data_module import DataModule
from avtca.errors import ConfigError
from avtca.evaluation.aggregate import Seed, summarise
from avtca.evaluation.predictions import Predictions
from avtca.files import write_atomic
from avtca.training.config import ExperimentConfig
from avtca.training.distributed import process_rank
from avtca.training.fold import experiment_folder, experiment_settings, run_fold


def fold_folder(out: Path, seed: int, fold: int) -> Path:
    """Folder of one run of a cross-validation."""
    return out / f"seed{seed}" / f"fold{fold}"


def cross_validate(
    experiment: ExperimentConfig,
    data_module: DataModule,
    out: Path,
    *,
    progress: bool = False,
    board: bool = False,
    before: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train and test every fold with every seed, and summarise the test predictions.

    Finished runs are kept and an interrupted one is resumed. Writes ``config.json`` first and
    ``result.json`` at the end.

    Args:
        experiment: The configuration.
        data_module: Its data, see :func:`~avtca.training.fold.load_data_module`.
        out: Folder of all runs.
        progress: Show progress bars.
        board: Write TensorBoard logs.
        before: Called with seed and fold ahead of each run; may raise to stop.

    Returns:
        The values of ``result.json``.

    Raises:
        ConfigError: The folder holds another configuration, or a fold has no test samples.
    """
    root, settings = experiment_folder(out), experiment_settings(experiment, data_module)
    root.require(settings)
    require_test_samples(data_module)
    for seed in experiment.seeds:
        for fold in range(len(data_module.rows)):
            if before is not None:
                before(seed, fold)
            folder = fold_folder(out, seed, fold)
            if not (folder / "test.csv").exists():
                run_fold(
                    experiment,
                    data_module,
                    fold=fold,
                    seed=seed,
                    out=folder,
                    root=out,
                    progress=progress,
                    board=board,
                )
    result = collect(out, experiment, data_module)
    if process_rank() == 0:
        root.record(settings)
        write_atomic(out / "result.json", json.dumps(result, indent=1))
    return result


def require_test_samples(data_module: DataModule) -> None:
    """Raise :class:`ConfigError` for a fold without test samples."""
    if untested := [fold for fold, rows in enumerate(data_module.rows) if not len(rows["test"])]:
        raise ConfigError(
            f"cross-validate by {data_module.folds.name}",
            f"fold {untested[0]} has no test samples in this corpus",
            "prepare them too, or train the other folds one by one with avtca train",
        )


def collect(out: Path, experiment: ExperimentConfig, data_module: DataModule) -> dict[str, Any]:
    """The summary of a finished cross-validation, see :func:`summarise`."""
    tables: dict[Seed, list[Predictions]] = {
        seed: [
            Predictions.load(fold_folder(out, seed, fold) / "test.csv")
            for fold in range(len(data_module.rows))
        ]
        for seed in experiment.seeds
    }
    return {
        "name": experiment.name,
        "variant": experiment.model.variant,
        **data_module.provenance,
        **summarise(tables).to_dict(),
    }


def table(result: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Rows of metric, mean with interval, standard deviation over folds, and seeds, in percent."""
    rows = []
    for name, spread in result["spread"].items():
        value, low, high = (float("nan") if x is None else 100 * x for x in result[name])
        seeds = ", ".join(f"{100 * one[name]:.1f}" for one in result["seeds"].values())
        between = "" if spread is None else f"{100 * spread:.1f}"
        rows.append((name, f"{value:.1f} [{low:.1f}, {high:.1f}]", between, seeds))
    return rows
