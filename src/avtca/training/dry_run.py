"""A dry run: one training step, in a temporary folder."""

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avtca.data.data_module import DataModule
from avtca.data.training import EpochSampler
from avtca.training.config import ExperimentConfig
from avtca.training.fold import experiment_folder, experiment_settings, run_fold

FEW = 8
"""Validation and test samples of a dry run."""


@dataclass(frozen=True)
class DryRun:
    """The outcome of :func:`dry_run`."""

    done: int
    """Steps of the dry run; more than one if a batch cannot have all labels."""
    samples: int
    """Training samples of a step."""
    seconds: float
    """Time of the steps and a validation of a few samples."""
    steps: int
    """Steps in an epoch of the whole training."""
    epochs: int
    """Epochs of the whole training."""

    def lines(self, runs: int) -> list[str]:
        """What is printed for a training of so many runs (folds and seeds)."""
        whole = f"{self.steps} steps x {self.epochs} epochs"
        whole += f" x {runs} runs" if runs > 1 else ""
        total = self.steps * self.epochs * runs
        steps = f"{self.done} steps" if self.done > 1 else "a step"
        return [
            f"dry run: {steps} of {self.samples} samples and a validation took "
            f"{self.seconds:.1f} s; test and checkpoint work, nothing was written",
            f"whole training: {whole} = {total:,} steps",
        ]


def dry_run(
    experiment: ExperimentConfig, data_module: DataModule, *, fold: int, seed: int, out: Path
) -> DryRun:
    """Train one batch, validate and test a few samples, and save and load the checkpoints.

    The batch has every label that the training samples have, if it is large enough.

    Args:
        experiment: The configuration.
        data_module: Its data, see :func:`~avtca.training.fold.load_data_module`.
        fold: Index of the fold.
        seed: Seed.
        out: Folder of the whole training, in which nothing is written.

    Raises:
        ConfigError: As :func:`~avtca.training.fold.run_fold`, and if ``out`` cannot be used.
    """
    experiment_folder(out).require(experiment_settings(experiment, data_module))
    config, rows = experiment.train, data_module.rows[fold]
    targets = data_module.dataset.targets
    few = {
        "train": _covering(rows["train"], targets, config.batch_size),
        "validation": rows["validation"][:FEW],
        "test": rows["test"][:FEW],
    }
    if experiment.data.validation == "train":
        few["validation"] = rows["validation"][:0]
    one_fold = replace(data_module, rows=(few,))
    optimiser = config.optimiser.model_copy(update={"schedule": "constant", "step_epochs": ()})
    once = config.model_copy(update={"epochs": 1, "optimiser": optimiser})
    with tempfile.TemporaryDirectory() as folder:
        run_fold(
            experiment.model_copy(update={"train": once}),
            one_fold,
            fold=0,
            seed=seed,
            out=Path(folder),
        )
        done = json.loads((Path(folder) / "done.json").read_text())
    n = len(rows["train"])
    n += len(rows["validation"]) if experiment.data.validation == "train" else 0
    return DryRun(
        done=EpochSampler(len(few["train"]), config.batch_size, seed).steps,
        samples=min(config.batch_size, len(few["train"])),
        seconds=float(done["seconds_of_last_process"]),
        steps=EpochSampler(n, config.batch_size, seed).steps,
        epochs=config.epochs,
    )


def _covering(rows: NDArray[np.int64], targets: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """About ``n`` of the rows, the first with each label among them."""
    having = [rows[targets[rows, label] > 0] for label in range(targets.shape[1])]
    first = [int(some[0]) for some in having if len(some)]
    others = [row for row in rows.tolist() if row not in first]
    chosen = [*dict.fromkeys(first), *others[: max(0, n - len(set(first)))]]
    return np.array(sorted(chosen), np.int64)
