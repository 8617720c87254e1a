"""The data of an experiment, and the training and test of one fold."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avtca.corpora.cache import PreparedCorpus
from avtca.data.data_module import DataModule, open_data_module
from avtca.errors import ConfigError
from avtca.evaluation.inference import predict_samples, resolve_device
from avtca.evaluation.predictions import Predictions
from avtca.model.checkpoint import pair_at, read_card
from avtca.model.config import OUTPUT_OF_LOSS
from avtca.model.own_network import code_hash
from avtca.run_dir import RunDir
from avtca.training.config import ExperimentConfig
from avtca.training.distributed import process_rank, wait_for_all
from avtca.training.pretrained import check_init_leakage, init_weights
from avtca.training.trainer import FitResult, fit, new_network

IGNORED_WHEN_RESUMING = (
    "config.name",
    "config.seeds",
    "config.data.fold",
    "config.data.corpus",
    "config.model.init_from",
    "config.train.seed",
    "config.train.workers",
    "data.split_audit",
)
"""Keys of ``config.json`` that may differ; ``run.json`` of each training has the rest."""


def load_data_module(
    experiment: ExperimentConfig, *, folds: Sequence[int] | None = None
) -> DataModule:
    """Open the samples and folds of an experiment.

    Args:
        experiment: The configuration.
        folds: Folds that will be tested; by default all.

    Raises:
        ConfigError: The corpus or the initial checkpoint is missing, or a label of
            ``data.labels`` does not occur.
        LeakError: Speakers are in more than one subset of a fold, or test speakers had a part in
            the initial weights (unless leaks are allowed: then it is a caveat).
        ClipSpecMismatch: The corpus was prepared with other input.
    """
    require_inputs(experiment)
    data = experiment.data
    corpus = PreparedCorpus.open(data.corpus)
    data_module = open_data_module(
        corpus.view(experiment.input.over(corpus.spec)),
        folds=data.folds,
        labels=data.labels,
        target=data.target,
        where=data.where,
        normalise=data.normalise,
        allow_leak=data.allow_leak,
    )
    absent = ~data_module.dataset.targets.any(0)
    if data.labels and absent.any():
        raise ConfigError(
            f"train {experiment.name} on {', '.join(data.labels)}",
            f"no sample is labelled {data.labels[int(absent.argmax())]!r}",
            f"choose data.labels from {', '.join(corpus.target_names(data.target))}",
        )
    start = experiment.model.init_from
    if start is None:
        return data_module
    card = read_card(pair_at(start, existing=True)[1])
    fix = "set data.allow_leak=true, which adds a caveat to every result"
    chosen = range(len(data_module.rows)) if folds is None else folds
    return check_init_leakage(data_module, card, str(start), chosen, data.allow_leak, fix)


def require_inputs(experiment: ExperimentConfig) -> None:
    """Raise :class:`ConfigError` where the corpus or the initial checkpoint is missing.

    The message has the command that makes it, where the configuration names one.
    """
    missing, commands = [], []
    if not (experiment.data.corpus / "corpus.json").is_file():
        missing.append(f"there is no prepared corpus in {experiment.data.corpus}")
        commands.append(experiment.data.prepare or "avtca prepare (docs/corpora.md)")
    start = experiment.model.init_from
    if start is not None and not (start.is_dir() or start.with_suffix(".json").is_file()):
        missing.append(f"there is no initial checkpoint {start}")
        commands.append(
            experiment.model.prepare or "avtca train with the checkpoint's configuration"
        )
    if missing:
        action = f"train {experiment.name}".strip()
        raise ConfigError(action, " and ".join(missing), f"run first: {'; '.join(commands)}")


def run_fold(
    experiment: ExperimentConfig,
    data_module: DataModule,
    *,
    fold: int,
    seed: int,
    out: Path,
    root: Path | None = None,
    progress: bool = False,
    board: bool = False,
) -> FitResult:
    """Train one fold with one seed, then predict its validation and test samples.

    The test samples are used once, with the kept weights. Writes ``validation.csv`` and
    ``test.csv`` beside the files of :func:`~avtca.training.trainer.fit`.

    Args:
        experiment: The configuration.
        data_module: Its data, see :func:`load_data_module`.
        fold: Index of the fold.
        seed: Seed, in place of ``train.seed``.
        out: Folder of the run.
        root: Folder of the experiment, for its ``config.json``; by default ``out``.
        progress: Show a progress bar.
        board: Write TensorBoard logs.

    Raises:
        ConfigError: The folder holds another experiment, or see
            :func:`~avtca.training.trainer.fit`.
    """
    folder, settings = experiment_folder(root or out), experiment_settings(experiment, data_module)
    folder.require(settings)
    config = experiment.train.model_copy(update={"seed": seed})
    train, validation, test = (data_module.subset(fold, s) for s in ("train", "validation", "test"))
    if experiment.data.validation == "train":
        rows = data_module.rows[fold]
        both = np.sort(np.concatenate((rows["train"], rows["validation"])))
        train, validation = data_module.dataset.subset(both), data_module.dataset.subset(())
    held_out = validation if len(validation) else None
    resolved = experiment.model_copy(update={"train": config}).resolved()
    resolved["data"] |= {"fold": fold, "corpus": data_module.provenance["corpus"]}
    resolved.pop("seeds")
    spec = data_module.dataset.spec
    output = OUTPUT_OF_LOSS[config.loss]
    sizes = experiment.model.sizes
    if output != "softmax":
        sizes = {**sizes, "output": output}
    network = new_network(experiment.model.variant, spec, seed=seed, **sizes)
    start = experiment.model.init_from
    taken = init_weights(network, spec.labels, start) if start else {}
    result = fit(
        network,
        config,
        train,
        held_out,
        out=out,
        provenance={**data_module.provenance, "fold": fold, "experiment": resolved, **taken},
        progress=progress,
        board=board,
        begin=partial(folder.record, settings),
    )
    if process_rank() == 0:
        result.network.to(torch.device(resolve_device(config.device)))
        for path, subset in ((out / "validation.csv", held_out), (out / "test.csv", test)):
            if subset is not None and len(subset) and not path.exists():
                probs = predict_samples(result.network, subset, output=output)
                Predictions.of(subset, probs, output=output).save(path)
    wait_for_all()
    return result


def experiment_folder(out: Path) -> RunDir:
    """The folder with ``config.json``: the resolved configuration and the origin of the data.

    The keys in :data:`IGNORED_WHEN_RESUMING` may differ.
    """
    return RunDir(
        out,
        action=f"train in {out}",
        settings_file="config.json",
        ignored=IGNORED_WHEN_RESUMING,
    )


def experiment_settings(experiment: ExperimentConfig, data_module: DataModule) -> dict[str, Any]:
    """The values of ``config.json``."""
    values: dict[str, Any] = {"config": experiment.resolved(), "data": data_module.provenance}
    if code := code_hash(experiment.model.variant):
        values["network_code"] = code
    if (start := initial_weights(experiment)) is not None:
        values["init_from"] = start
    return values


def initial_weights(experiment: ExperimentConfig) -> dict[str, str] | None:
    """The hash of the initial weights, wherever they are kept; ``None`` without."""
    if experiment.model.init_from is None:
        return None
    card = read_card(pair_at(experiment.model.init_from, existing=True)[1])
    return {"weights_sha256": card.weights_sha256}
