"""All folds and seeds of an experiment, resumable fold by fold, to one table."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from avtca.data.data_module import DataModule
from avtca.errors import ConfigError
from avtca.evaluation.aggregate import summarise
from avtca.evaluation.predictions import Predictions
from avtca.files import write_atomic
from avtca.training.config import ExperimentConfig
from avtca.training.distributed import process_rank
from avtca.training.fold import require_config, run_fold, write_config


def fold_folder(out: Path, seed: int, fold: int) -> Path:
    """Where one training of a cross-validation stands."""
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
    """Train every fold with every seed of the experiment and summarise the test sides.

    What is finished is not trained again; a training that was broken off goes on where it was.
    ``before(seed, fold)`` is called ahead of each and may raise to stop. Writes ``config.json``
    first and ``result.json`` at the end, and returns the latter's values. Raises
    :class:`ConfigError` for a folder that was begun with another configuration, or a fold without
    test samples.
    """
    require_config(out, experiment, data_module)
    if untested := [fold for fold, rows in enumerate(data_module.rows) if not len(rows["test"])]:
        raise ConfigError(
            f"cross-validate by {data_module.folds.name}",
            f"fold {untested[0]} has no test samples in this corpus",
            "prepare them too, or train the other folds one by one with avtca train",
        )
    begin = partial(write_config, out, experiment, data_module)
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
                    progress=progress,
                    board=board,
                    begin=begin,
                )
    result = collect(out, experiment, data_module)
    if process_rank() == 0:
        begin()
        write_atomic(out / "result.json", json.dumps(result, indent=1))
    return result


def collect(out: Path, experiment: ExperimentConfig, data_module: DataModule) -> dict[str, Any]:
    """The summary of a finished cross-validation; see :func:`summarise`."""
    tables = {
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
        **summarise(tables),
    }


def table(result: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Rows ``(metric, mean and interval, spread over folds, seeds)`` in percent."""
    rows = []
    for name, spread in result["spread"].items():
        value, low, high = (float("nan") if x is None else 100 * x for x in result[name])
        seeds = ", ".join(f"{100 * one[name]:.1f}" for one in result["seeds"].values())
        between = "" if spread is None else f"{100 * spread:.1f}"
        rows.append((name, f"{value:.1f} [{low:.1f}, {high:.1f}]", between, seeds))
    return rows
