"""Train a network on samples: resumable, the best epoch kept by a validation figure."""

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
from avtca.model.avtca import AVTCA
from avtca.model.variants import variant_named
from avtca.run_dir import RunDir
from avtca.training.config import TrainConfig
from avtca.training.distributed import process_rank, process_world, strategy, synchronise_norms
from avtca.training.module import Training
from avtca.training.record import RunRecord, SaveLast, fingerprint, versions

VIDEO_ONLY = ("video_noise", "posterior_bias", "pixels")
AUDIO_ONLY = ("waveform", "gain_db", "channel_db", "background")
"""Augmentations of one stream (masked steps are not among them: they cost nothing)."""


@dataclass(frozen=True)
class FitResult:
    """A finished training.

    ``network``: the kept weights, in evaluation mode. ``epoch``: the one they are from, counted
    from 0. ``figures``: its validation figures (empty without validation). ``history``: one row
    an epoch.
    """

    network: AVTCA
    epoch: int
    figures: dict[str, float]
    history: list[dict[str, float]]
    out: Path


def new_network(variant: str, spec: ClipSpec, *, seed: int = 0, **sizes: Any) -> AVTCA:
    """A network that fits ``spec``, its fresh weights drawn from ``seed``.

    A level is one of decibels: where the audio is no log-mel, a variant that would take it away
    has a batch norm for each feature instead.
    """
    if not spec.bands and variant_named(variant).audio_norm == "level":
        sizes = {"audio_norm": "bands", **sizes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_model(variant, ModelConfig.for_spec(spec, **sizes))


def fit(
    network: AVTCA,
    recipe: TrainConfig,
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
    """Train ``network`` in the folder ``out`` and return it with its kept weights.

    In ``out``: ``run.json`` (recipe, sizes, versions, commit, fingerprints of the samples and
    ``provenance``; written before the first step), ``metrics.csv``, ``last.ckpt`` to resume from,
    ``best.safetensors``/``.json`` and ``last.safetensors``/``.json``, and ``done.json`` at the
    end. A folder with a broken-off run of the same kind goes on where it was, to the same result;
    a finished one is returned as it is. ``validation`` chooses the epoch and nothing else; test
    samples have no place here. Once nothing is left to refuse, and before anything is written,
    ``begin`` is called. Raises :class:`ConfigError` for a folder with another run in it, a
    metric without validation samples, an augmentation that could never fire, a device that is not
    there, or a loss that is not finite; :class:`~avtca.errors.ClipSpecMismatch` where the sides are
    prepared differently; KeyboardInterrupt where it was stopped, by a signal or by hand.
    """
    network_spec_check(network, train, validation)
    if validation is None and recipe.metric != "none":
        raise ConfigError(
            f"keep the weights with the best validation {recipe.metric}",
            "no validation samples",
            "give some, or set metric: none",
        )
    if not len(train):
        raise ConfigError("train", "no training samples", "check the folds and the corpus")
    out = Path(out)
    run = _run_card(network, recipe, train, validation, provenance or {})
    folder = RunDir(
        out, action=f"train in {out}", settings_file="run.json", ignored=IGNORED_WHEN_RESUMING
    )
    resumed = folder.require(run)
    if folder.done():
        return _finished(folder, train.spec)
    resolve_device(recipe.device)
    check_streams(network, recipe)

    data = TrainingDataset(train, recipe.augmentation, recipe.seed)
    rank, world = process_rank(), process_world()
    loader = training_loader(
        data, recipe.batch_size, workers=recipe.workers, rank=rank, world=world
    )
    module = Training(
        network,
        recipe,
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
    warnings.filterwarnings("ignore", module=r"lightning\.pytorch\.utilities\._pytree")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    record = RunRecord(out, train.spec, recipe, run)
    last = out / "last.ckpt"
    trainer = lightning.Trainer(
        max_epochs=recipe.epochs,
        accelerator=recipe.device,
        **strategy(recipe.device),
        logger=_loggers(out) if board else False,
        callbacks=[record, *_bars(progress), *(callbacks or []), SaveLast(out)],
        gradient_clip_val=recipe.optimiser.clip_norm or None,
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
    except SystemExit as end:  # Lightning's answer to an interrupt; ours says of what kind it was
        ours = end.__context__
        raise (ours if isinstance(ours, KeyboardInterrupt) else KeyboardInterrupt) from None
    if trainer.interrupted or trainer.received_sigterm:
        raise KeyboardInterrupt
    if rank == 0:
        seconds = round(time.perf_counter() - started, 1)
        record.finish(module, seconds=seconds)
    trainer.strategy.barrier()
    return _finished(folder, train.spec)


def check_streams(network: AVTCA, recipe: TrainConfig) -> None:
    """Raise :class:`ConfigError` for augmentation of a stream that the network does not have."""
    varied, streams = recipe.augmentation, variant_named(network.variant).streams
    missing, names = {"audio": ("video", VIDEO_ONLY), "video": ("audio", AUDIO_ONLY)}.get(
        streams, ("", ())
    )
    idle = [f"augmentation.{name}" for name in names if getattr(varied, name)]
    if streams != "both" and recipe.modality_dropout.mode != "none":
        idle.append("modality_dropout")
    if idle:
        raise ConfigError(
            f"train {network.variant} with {idle[0]}",
            f"it has no effect: the network has no {missing} branch",
            "set modality_dropout.mode to none" if idle == ["modality_dropout"] else "set it to 0",
        )


def network_spec_check(
    network: AVTCA, train: EmotionDataset, validation: EmotionDataset | None
) -> None:
    """Refuse sides that are prepared differently, or a network made for other input."""
    if validation is not None:
        train.spec.require(validation.spec, action="train and validate")
    if misfits := network.config.misfits(train.spec):
        raise ConfigError(
            "train this network on these samples",
            f"they do not fit ({'; '.join(misfits)})",
            "build it with ModelConfig.for_spec",
        )
    if network.config.probabilities and train.normalisation is not None:
        raise ConfigError(
            f"read {network.config.probabilities} of the video features as probabilities",
            "the samples are standardised, they are none any more",
            "set model.sizes.probabilities to 0, or data.normalise to none",
        )


def _run_card(
    network: AVTCA,
    recipe: TrainConfig,
    train: EmotionDataset,
    validation: EmotionDataset | None,
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "variant": network.variant,
        "model": network.config.to_dict(),
        "clip_spec": train.spec.to_dict(),
        "clip_spec_hash": train.spec.hash,
        "train_config": recipe.model_dump(mode="json"),
        "train": fingerprint(train),
        "validation": fingerprint(validation) if validation is not None else None,
        "provenance": dict(provenance),
        "versions": versions(),
    }


IGNORED_WHEN_RESUMING = (
    "versions",
    "train_config.workers",
    "provenance.experiment.name",
    "provenance.experiment.model.init_from",
    "provenance.experiment.train.workers",
)
"""Keys of ``run.json`` that may differ; an initial checkpoint is compared by its hash."""


def _finished(folder: RunDir, spec: ClipSpec) -> FitResult:
    done = folder.done()
    network, _ = load_checkpoint(folder.path / done["kept"], clip_spec=spec)
    return FitResult(network, done["epoch"], done["figures"], done["history"], folder.path)


def _loggers(out: Path) -> list[Any]:
    from lightning.pytorch.loggers import TensorBoardLogger

    return [TensorBoardLogger(out, name="", version="board")]


def _bars(progress: bool) -> list[Callback]:
    if not progress:
        return []
    from lightning.pytorch.callbacks import RichProgressBar

    return [RichProgressBar()]


def torch_threads(threads: int) -> None:
    """Threads of one operation, in PyTorch and under NumPy; 1 where runs share a machine.

    Threads that wait for each other on busy cores can cost ten times the work.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(threads)
    torch.set_num_threads(threads)
