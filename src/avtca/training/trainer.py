"""Training of one network: resumable, keeps the epoch with the best validation metric."""

import logging
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from avtca.clipspec import ClipSpec
from avtca.data.dataset import EmotionDataset
from avtca.data.training import TrainingDataset, training_loader
from avtca.data.windows import WindowDataset, evaluation_loader
from avtca.errors import ConfigError
from avtca.evaluation.inference import resolve_device
from avtca.model import ModelConfig, build_model, load_checkpoint
from avtca.model.config import OUTPUT_OF_LOSS
from avtca.model.network import FusionNetwork
from avtca.model.own_network import OwnNetwork, check_network, code_hash
from avtca.model.variants import variant_named
from avtca.plugins import is_own
from avtca.run_dir import RunDir
from avtca.training.config import TrainConfig
from avtca.training.distributed import process_rank, process_world, strategy, synchronise_norms
from avtca.training.module import Training
from avtca.training.record import RunRecord, SaveLast, fingerprint, versions

VIDEO_ONLY = ("video_noise", "posterior_bias", "pixels")
AUDIO_ONLY = ("waveform", "gain_db", "channel_db", "background")
"""Augmentation of one stream. Step dropout is not listed, since shared settings contain it."""
IGNORED_WHEN_RESUMING = (
    "versions",
    "train_config.workers",
    "provenance.experiment.name",
    "provenance.experiment.model.init_from",
    "provenance.experiment.train.workers",
    "provenance.init_from.corpora",
    "provenance.split_audit",
)
"""Keys of ``run.json`` that may differ; an initial checkpoint and a split are compared by hash."""


@dataclass(frozen=True)
class FitResult:
    """A finished training run."""

    network: FusionNetwork
    """The kept weights, in evaluation mode."""
    epoch: int
    """Epoch of the kept weights, counted from 0."""
    figures: dict[str, float]
    """Validation metrics of that epoch; empty without a validation set."""
    history: list[dict[str, float]]
    """Losses and metrics of each epoch."""
    out: Path
    """Folder of the run."""


def new_network(variant: str, spec: ClipSpec, *, seed: int = 0, **sizes: Any) -> FusionNetwork:
    """An untrained network for the input that ``spec`` describes.

    Args:
        variant: Name of a network, or ``package.module:Class``.
        spec: The model input, with the labels.
        seed: Seed of the initial weights.
        **sizes: Fields of ModelConfig that do not follow from ``spec``. A variant that normalises
            the level of log-mel audio normalises each feature instead where the audio is not
            log-mel.

    Raises:
        ConfigError: For a variant or sizes that do not exist or do not fit together, and for a
            user's class that cannot be trained (:func:`~avtca.model.own_network.check_network`).
    """
    if not spec.bands and not is_own(variant) and variant_named(variant).audio_norm == "level":
        sizes = {"audio_norm": "bands", **sizes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_model(variant, ModelConfig.for_spec(spec, **sizes))
    if isinstance(network, OwnNetwork):
        check_network(network, spec)
    return network


def fit(
    network: FusionNetwork,
    config: TrainConfig,
    train: EmotionDataset,
    validation: EmotionDataset | None = None,
    *,
    out: Path,
    provenance: Mapping[str, Any] | None = None,
    progress: bool = False,
    board: bool = False,
    callbacks: list[Callback] | None = None,
    begin: Callable[[], None] | None = None,
) -> FitResult:
    """Train a network, or resume an interrupted run to the same result.

    ``out`` then holds ``run.json`` (settings, versions, commit, fingerprints of the data; written
    before the first step), ``metrics.csv``, ``last.ckpt`` to resume from, the checkpoints ``best``
    and ``last``, and ``done.json`` at the end.

    Args:
        network: The network with its initial weights; trained in place.
        config: Loss, augmentation, optimiser and selection of the weights.
        train: Training samples.
        validation: Samples that select the epoch, and nothing else.
        out: Folder of the run. A finished run of the same settings is returned as it is.
        provenance: Origin of the data, for ``run.json`` and the checkpoints.
        progress: Show a progress bar.
        board: Write TensorBoard logs.
        callbacks: Further callbacks of Lightning.
        begin: Called once before anything is written, after all checks.

    Returns:
        The network with the kept weights, and its history.

    Raises:
        ConfigError: ``out`` holds another run, a metric has no validation samples, an augmentation
            has no effect, the device does not exist, or the loss is not finite.
        ClipSpecMismatch: The data sets are prepared differently.
        KeyboardInterrupt: The run was stopped by a signal.
    """
    network_spec_check(network, config.loss, train, validation)
    check_streams(network, config)
    if validation is None and config.metric != "none":
        raise ConfigError(
            f"keep the weights with the best validation {config.metric}",
            "no validation samples",
            "give some, or set train.metric to none",
        )
    if not len(train):
        raise ConfigError("train", "no training samples", "check the folds and the corpus")
    out = Path(out)
    run = _run_card(network, config, train, validation, provenance or {})
    folder = RunDir(
        out, action=f"train in {out}", settings_file="run.json", ignored=IGNORED_WHEN_RESUMING
    )
    resumed = folder.require(run)
    if done := folder.done():
        return _finished(out, done, train.spec)
    resolve_device(config.device)

    data = TrainingDataset(train, config.augmentation, config.seed)
    rank, world = process_rank(), process_world()
    loader = training_loader(
        data, config.batch_size, workers=config.workers, rank=rank, world=world
    )
    module = Training(
        network,
        config,
        train.targets,
        steps=len(loader),
        validation_targets=None if validation is None else validation.targets,
    )
    if rank == 0:
        if begin is not None:
            begin()
        if not resumed:
            folder.record(run)
    if world > 1:
        synchronise_norms(network)
    _silence_lightning()
    record = RunRecord(out, train.spec, config, run)
    last, logger = out / "last.ckpt", None
    if board:
        from lightning.pytorch.loggers import TensorBoardLogger

        logger = TensorBoardLogger(out, name="", version="board")
    trainer = lightning.Trainer(
        max_epochs=config.epochs,
        accelerator=config.device,
        **strategy(config.device),
        logger=logger or False,
        callbacks=[record, *_bars(progress), *(callbacks or []), SaveLast(out)],
        gradient_clip_val=config.optimiser.clip_norm or None,
        enable_progress_bar=progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        use_distributed_sampler=False,
    )
    started = time.perf_counter()
    try:
        trainer.fit(
            module,
            loader,
            None if validation is None else evaluation_loader(WindowDataset(validation)),
            ckpt_path=last if last.exists() else None,
            weights_only=True,
        )
    except SystemExit as end:  # Lightning's for an interrupt; its context has the signal
        ours = end.__context__
        raise (ours if isinstance(ours, KeyboardInterrupt) else KeyboardInterrupt) from None
    if trainer.interrupted or trainer.received_sigterm:
        raise KeyboardInterrupt
    if rank == 0:
        seconds = round(time.perf_counter() - started, 1)
        record.finish(module, seconds=seconds)
    trainer.strategy.barrier()
    return _finished(out, folder.done(), train.spec)


def check_streams(network: FusionNetwork, config: TrainConfig) -> None:
    """Raise :class:`ConfigError` for augmentation of a stream that the network does not have."""
    missing, names = {"audio": ("video", VIDEO_ONLY), "video": ("audio", AUDIO_ONLY)}.get(
        network.streams, ("", ())
    )
    idle = [f"augmentation.{name}" for name in names if getattr(config.augmentation, name)]
    if network.streams != "both" and config.modality_dropout.mode != "none":
        idle.append("modality_dropout")
    if idle:
        raise ConfigError(
            f"train {network.variant} with {idle[0]}",
            f"it has no effect: the network has no {missing} branch",
            "set modality_dropout.mode to none" if idle == ["modality_dropout"] else "set it to 0",
        )


def network_spec_check(
    network: FusionNetwork, loss: str, train: EmotionDataset, validation: EmotionDataset | None
) -> None:
    """Check that the network fits the loss and the data sets, which must be prepared alike.

    Raises:
        ClipSpecMismatch: The data sets differ.
        ConfigError: The network was built for other input or another loss.
    """
    if validation is not None:
        train.spec.require(validation.spec, action="train and validate")
    if mismatches := network.config.mismatches(train.spec):
        raise ConfigError(
            "train this network on these samples",
            f"they do not fit ({'; '.join(mismatches)})",
            "build it with ModelConfig.for_spec",
        )
    if (output := OUTPUT_OF_LOSS[loss]) != (network.config.output or "softmax"):
        raise ConfigError(
            f"train this network with loss {loss!r}",
            f"its output is {network.config.output or 'softmax'}",
            f"build it with output={output!r}",
        )
    if network.config.probabilities and train.normalisation is not None:
        raise ConfigError(
            f"read {network.config.probabilities} of the video features as probabilities",
            "normalised by speaker, they are no probabilities",
            "set model.sizes.probabilities to 0, or data.normalise to none",
        )


def _run_card(
    network: FusionNetwork,
    config: TrainConfig,
    train: EmotionDataset,
    validation: EmotionDataset | None,
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    code = code_hash(network.variant)
    return {
        "variant": network.variant,
        **({"network_code": code} if code else {}),
        "model": network.config.to_dict(),
        "clip_spec": train.spec.to_dict(),
        "clip_spec_hash": train.spec.hash,
        "train_config": config.model_dump(mode="json"),
        "train": fingerprint(train),
        "validation": fingerprint(validation) if validation is not None else None,
        "provenance": dict(provenance),
        "versions": versions(),
    }


def _finished(out: Path, done: Mapping[str, Any], spec: ClipSpec) -> FitResult:
    network, _ = load_checkpoint(out / done["kept"], clip_spec=spec)
    return FitResult(network, done["epoch"], done["figures"], done["history"], out)


def _silence_lightning() -> None:
    """Keep Lightning's tips and its summary of devices off the console."""
    warnings.filterwarnings("ignore", module=r"lightning\.pytorch\.utilities\._pytree")
    warnings.filterwarnings("ignore", "You defined a `validation_step` but have no")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _bars(progress: bool) -> list[Callback]:
    if not progress:
        return []
    from lightning.pytorch.callbacks import RichProgressBar

    class EpochBar(RichProgressBar):
        """Without the version of the log folder."""

        def get_metrics(self, *args: Any) -> dict[str, Any]:
            return {name: x for name, x in super().get_metrics(*args).items() if name != "v_num"}

    return [EpochBar()]


def torch_threads(threads: int) -> None:
    """Set the number of threads of PyTorch and NumPy.

    1 is best where several runs share a machine: threads that wait for each other on busy cores
    can cost ten times the work.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(threads)
    torch.set_num_threads(threads)
