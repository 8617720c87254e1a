"""Fine-tuning of a trained network on a user's own labelled clips.

A cross-validation over speakers compares the initial model with the fine-tuned networks on the same
clips, each clip predicted by a network that was not trained on its speaker. Then one network is
trained on all clips but those of a validation group, and exported.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avtca.compat import upgrade
from avtca.data.augment_config import Augmentation
from avtca.data.data_module import DataModule, audited
from avtca.errors import ConfigError
from avtca.evaluation.evaluate import evaluate_model
from avtca.evaluation.evaluated_model import EvaluatedModel, fit_window_temperature
from avtca.evaluation.inference import window_logits
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.sample_table import disagreements, sample_rows, table_columns
from avtca.files import write_atomic
from avtca.finetune import protocol
from avtca.finetune.clips import LabelledClips, find_clips, read_clips, training_files
from avtca.finetune.held_out import (
    TEMPERATURES,
    fit_thresholds,
    held_out_model,
    held_out_predictions,
)
from avtca.finetune.initial import InitialModel, load_initial_model, resize_head
from avtca.finetune.model_card import model_card
from avtca.finetune.report import FinalTraining, FineTuneReport, SubsetSize
from avtca.model import Card, load_checkpoint, save_checkpoint
from avtca.model.export_bundle import export_bundle
from avtca.model.lineage import training_corpora
from avtca.model.network import FusionNetwork
from avtca.progress import ProgressHook, no_progress
from avtca.run_dir import RunDir, best_checkpoint
from avtca.runtime.bundle import training_files_of
from avtca.training.config import (
    SET_BY_DATA,
    ExperimentConfig,
    ModalityDropout,
    Optimiser,
    TrainConfig,
)
from avtca.training.config_file import check_experiment
from avtca.training.cross_validate import cross_validate, fold_folder
from avtca.training.pretrained import check_init_leakage, init_weights
from avtca.training.trainer import fit, new_network

BATCH = 16
STEPS = 500
"""Number of optimiser steps that sets the number of epochs, within :data:`EPOCHS`."""
EPOCHS = (5, 60)
LEARNING_RATE = 3e-4
TUNED = " fine-tuned"


def finetune(
    checkpoint: str,
    source: Path,
    out: Path,
    *,
    epochs: int | None = None,
    learning_rate: float = LEARNING_RATE,
    allow_leak: bool = False,
    tier: str | None = None,
    workers: int = 0,
    message: Callable[[str], None] = print,
    progress: ProgressHook = no_progress,
    bars: bool = False,
) -> FineTuneReport:
    """Fine-tune a model on labelled clips; an interrupted call is resumed by the same call.

    Args:
        checkpoint: The initial model, see :func:`load_initial_model`.
        source: Folder, CSV or EAF file of clips, see :func:`find_clips`.
        out: Folder of the new model, its ``MODEL_CARD.md`` and ``result.json``, and of the
            held-out predictions with their evaluation; ``work`` in it has the decoded clips and
            all runs.
        epochs: Maximum number of epochs; by default from the number of clips.
        learning_rate: Learning rate of AdamW.
        allow_leak: Split by clips where speakers are not known; adds a caveat.
        tier: Tier of EAF files with the labels.
        workers: Processes that decode; 0 for this one.
        message: Called with each line for the user.
        progress: Called while clips are decoded.
        bars: Show progress bars of the trainings.

    Raises:
        CheckpointError: The initial model cannot be trained.
        CorpusError: The clips cannot be used.
        LeakError: There are fewer than two speakers, or the initial model was trained on them
            (unless ``allow_leak``).
        ConfigError: ``out`` holds something else.
    """
    start = load_initial_model(checkpoint)
    layout = find_clips(start, source, tier=tier, allow_leak=allow_leak)
    work = out.resolve() / "work"
    settings: dict[str, Any] = {"epochs": epochs, "learning_rate": learning_rate}
    if tier is not None:
        settings["tier"] = tier
    _open_folder(out, start, settings)
    clips = read_clips(
        start, layout, work / "clips", allow_leak=allow_leak, workers=workers, progress=progress
    )
    samples = clips.samples
    changes = protocol.label_changes(start, samples.spec.labels)
    for note in (*clips.notes, str(changes)):
        message(note)
    groups = protocol.make_speaker_folds(clips)
    folds = protocol.folds_of(groups, named=clips.named)
    data_module = check_init_leakage(
        audited(samples, clips.corpus, folds, allow_leak=allow_leak, target="label"),
        start.card,
        start.name,
        range(len(folds.folds)),
        allow_leak,
        "use --allow-leak, which adds a caveat",
    )
    write_atomic(work / "folds.json", folds.to_json())
    if data_module.caveat != "clean":
        message(f"split: {data_module.caveat}")
    network, told = resize_head(start, samples.spec.labels), start.card.provenance
    save_checkpoint(work / "start", network, samples.spec, provenance=told)
    experiment = _experiment(start, data_module, work, epochs, learning_rate)

    def before(seed: int, fold: int) -> None:
        message(f"fold {fold + 1} of {len(groups)}")

    cross_validate(experiment, data_module, work / "folds", progress=bars, before=before)
    tests = [fold_folder(work / "folds", 0, fold) / "test.csv" for fold in range(len(groups))]
    message("final training")
    network, card, final = _final(experiment, data_module, set(groups[0]), work / "final", bars)
    after = Predictions.joined([*map(Predictions.load, tests)])
    comparison = protocol.compare_before_after(start, samples, after)
    sources = {source.sample_id: source for source in layout.sources}
    name = _model_name(start)
    held_out = held_out_model(name, clips, data_module, work / "folds", sources)
    thresholds = fit_thresholds(held_out)
    report = FineTuneReport(
        initial_model=start.name,
        labels=changes,
        clips=len(samples),
        speakers=len(set(samples.speakers)) if clips.named else None,
        single_speaker_labels=protocol.single_speaker_labels(clips),
        failed=len(clips.summary.failures) + len(layout.problems),
        notes=list(clips.notes),
        protocol=folds.rule,
        caveat=data_module.caveat,
        final=final,
        thresholds=thresholds,
        **vars(comparison),
    )
    measured = {name: one.threshold for name, one in thresholds.items() if one.threshold}
    calibration: dict[str, Any] = {**card.calibration, "sure": measured}
    card = replace(card, calibration=calibration)
    _export(start, network, card, out, report, clips)
    _write_held_out(held_out, out)
    return report


def train_config_for(
    clips: int,
    *,
    pixels: bool,
    streams: str,
    epochs: int | None,
    learning_rate: float,
) -> TrainConfig:
    """Settings of a fine-tuning.

    Args:
        clips: Number of training clips, which sets the number of epochs.
        pixels: The network reads face crops.
        streams: Streams of the network: "both", "audio" or "video".
        epochs: Number of epochs; ``None`` for the default.
        learning_rate: Learning rate of AdamW.
    """
    seen = streams != "audio"
    whole = ModalityDropout(mode="whole", audio=0.15, video=0.15)
    if epochs is None:
        least, most = EPOCHS
        epochs = min(most, max(least, -(-STEPS // max(1, clips // BATCH))))
    return TrainConfig(
        epochs=epochs,
        batch_size=BATCH,
        label_smoothing=0.05,
        auxiliary_weight=0.3,
        ema=0.98,
        modality_dropout=whole if streams == "both" else ModalityDropout(),
        augmentation=Augmentation(
            crop_slack_s=0.4,
            speed=0.1,
            step_dropout=0.1 if seen else 0.0,
            posterior_bias=0.3 if seen and not pixels else 0.0,
            pixels=pixels and seen,
        ),
        optimiser=Optimiser(
            learning_rate=learning_rate,
            weight_decay=0.05,
            clip_norm=1.0,
            warmup_epochs=1.0 if epochs > 1 else 0.0,
        ),
        metric="loss",
    )


def _experiment(
    start: InitialModel,
    data_module: DataModule,
    work: Path,
    epochs: int | None,
    learning_rate: float,
) -> ExperimentConfig:
    """The configuration of the cross-validation, initialised from the initial model."""
    train, validation = (data_module.subset(0, name) for name in ("train", "validation"))
    config = train_config_for(
        len(train),
        pixels=train.spec.video == "pixels",
        streams=start.network.streams,
        epochs=epochs,
        learning_rate=learning_rate,
    )
    if not len(validation):
        config = config.model_copy(update={"metric": "none"})
    sizes = {k: v for k, v in start.card.config.to_dict().items() if k not in SET_BY_DATA}
    values = {
        "name": "finetune",
        "data": {"corpus": str(work / "clips"), "folds": str(work / "folds.json")},
        "model": {"variant": start.card.variant, "sizes": sizes, "init_from": str(work / "start")},
        "train": config.model_dump(),
    }
    return check_experiment(values, action="fine-tune")


def _final(
    experiment: ExperimentConfig, data_module: DataModule, held_out: set[str], out: Path, bars: bool
) -> tuple[FusionNetwork, Card, FinalTraining]:
    """Train on all groups but ``held_out``, which selects the epoch and the temperature."""
    samples, model, config = data_module.dataset, experiment.model, experiment.train
    unit = samples.speakers if data_module.folds.unit == "speaker" else samples.sample_ids
    validation = samples.subset(row for row, name in enumerate(unit) if name in held_out)
    train = samples.subset(row for row, name in enumerate(unit) if name not in held_out)
    network = new_network(model.variant, samples.spec, **model.sizes)
    origin = {k: v for k, v in data_module.provenance.items() if not k.startswith("folds")}
    if model.init_from is not None:
        origin |= init_weights(network, samples.spec.labels, model.init_from)
    done = fit(network, config, train, validation, out=out, provenance=origin, progress=bars)
    network, card = load_checkpoint(best_checkpoint(out))
    temperature = fit_window_temperature([(window_logits(network, validation), validation)])
    temperature = float(np.clip(temperature, *TEMPERATURES))
    sizes = [
        SubsetSize(clips=len(subset), speakers=len(set(subset.speakers)))
        for subset in (train, validation)
    ]
    final = FinalTraining(
        trained_on=sizes[0],
        validation=sizes[1],
        epoch=done.epoch + 1,
        epochs=config.epochs,
        learning_rate=config.optimiser.learning_rate,
        temperature=temperature,
        figures=done.figures,
    )
    return network, replace(card, calibration={"temperature": temperature}), final


def _export(
    start: InitialModel,
    network: FusionNetwork,
    card: Card,
    out: Path,
    report: FineTuneReport,
    clips: LabelledClips,
) -> None:
    """Write the bundle with the face network, ``result.json`` and the model card."""
    name = _model_name(start)
    before = start.card.provenance
    terms = str(before.get("terms", "not recorded; ask for those of its training data"))
    provenance = {
        **card.provenance,
        "init_from": {"name": start.name, "weights_sha256": start.card.weights_sha256},
        "data": f"{report.clips} own clips; start: {before.get('data', 'not recorded')}",
        "terms": terms,
        "command": "avtca finetune",
        "training_files": sorted({*training_files(clips), *training_files_of(before)}),
    }
    if corpora := training_corpora(start.card):
        provenance["corpora"] = corpora
    figures = {
        name: {"accuracy": list(summary.accuracy), "uar": list(summary.uar)}
        for name, summary in report.rows().items()
    }
    about = {key: getattr(report, key) for key in ("clips", "speakers", "protocol", "caveat")}
    card = replace(card, provenance=provenance, metrics={"finetune": {**about, **figures}})
    try:
        export_bundle(
            out,
            name=name,
            fusion=network,
            card=card,
            face=start.face_file,
            face_px=start.backend.crop_px,
        )
        write_atomic(out / "result.json", json.dumps(report.to_dict(), indent=1))
        write_atomic(out / "MODEL_CARD.md", model_card(name, report, terms))
    except OSError as error:
        raise ConfigError(f"write the model into {out}", str(error), "make room there") from error


def _model_name(start: InitialModel) -> str:
    return f"{start.name.partition(' (')[0].removesuffix(TUNED)}{TUNED}"


def _write_held_out(model: EvaluatedModel, out: Path) -> None:
    """Write the held-out predictions, and the report and page of ``avtca evaluate``."""
    from avtca.plots.html import evaluation_html

    report = evaluate_model(model)
    predictions = held_out_predictions(model)
    rows = sample_rows(model, predictions)
    try:
        predictions.save(out / "held_out.csv", columns=table_columns(rows))
        write_atomic(out / "evaluation.json", json.dumps(report.to_dict(), indent=1))
        write_atomic(out / "evaluation.html", evaluation_html(report, disagreements(rows)))
    except OSError as error:
        raise ConfigError(f"write the report into {out}", str(error), "make room there") from error


def _open_folder(out: Path, start: InitialModel, settings: Mapping[str, Any]) -> None:
    """Make the folder, or check that it holds a fine-tuning of this model with these settings."""
    face = hashlib.sha256(start.face_file.read_bytes()).hexdigest() if start.face_file else ""
    values = {"initial_model": start.card.weights_sha256, "face": face, **settings}
    folder = RunDir(
        out,
        action=f"fine-tune into {out}",
        settings_file="work/settings.json",
        upgrade=partial(upgrade, section="finetune"),
    )
    folder.open(values)
