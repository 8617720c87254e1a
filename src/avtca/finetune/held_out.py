"""The networks of a fine-tuning's cross-validation as an evaluated model, and its thresholds."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from avtca.corpora.index import SampleSource
from avtca.data.caveats import Caveat, CaveatKind
from avtca.data.data_module import DataModule
from avtca.evaluation.degradations import REMOVED, remove_modality
from avtca.evaluation.evaluate import modality_rows
from avtca.evaluation.evaluated_model import EvaluatedModel, FoldModel
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.report import Modality, SplitInfo
from avtca.evaluation.selective import abstention_curve
from avtca.finetune.clips import LabelledClips
from avtca.finetune.report import WANTED_ACCURACY, HeldOutThreshold
from avtca.model import load_checkpoint
from avtca.run_dir import best_checkpoint
from avtca.training.cross_validate import fold_folder

TEMPERATURES = (0.5, 5.0)
"""Range of the temperature; a few validation clips, all correct, would give 0."""
INPUT_OF: dict[Modality, str] = {"both": "both", "audio only": "voice", "video only": "face"}
"""Names of the modalities in a card's thresholds."""


def held_out_model(
    name: str,
    clips: LabelledClips,
    data_module: DataModule,
    runs: Path,
    sources: Mapping[str, SampleSource],
) -> EvaluatedModel:
    """The fine-tuned networks of all folds, each with its test clips.

    Args:
        name: Name of the fine-tuned model.
        clips: The clips.
        data_module: Their folds.
        runs: Folder of the finished cross-validation.
        sources: Files of the clips, by sample.
    """
    folds = []
    for fold in range(len(data_module.folds.folds)):
        network, card = load_checkpoint(best_checkpoint(fold_folder(runs, 0, fold)))
        parts = {name: data_module.subset(fold, name) for name in ("train", "validation", "test")}
        known = {*parts["train"].speakers, *parts["validation"].speakers}
        validation = parts["validation"] if len(parts["validation"]) else None
        why = "" if validation is not None else "two groups leave no validation speakers"
        folds.append(FoldModel((network,), parts["test"], validation, why, frozenset(known)))
    notes = (Caveat(CaveatKind.NOTE, note) for note in clips.notes)
    provenance = {
        key: value
        for key, value in data_module.provenance.items()
        if key in SplitInfo.__dataclass_fields__
    }
    split = SplitInfo.of([*data_module.caveats, *notes], **provenance)
    return EvaluatedModel(
        name=name,
        folds=tuple(folds),
        card=card,
        split=replace(split, failed=len(clips.summary.failures)),
        sources=sources,
        temperatures=TEMPERATURES,
    )


def held_out_predictions(model: EvaluatedModel, modality: Modality = "both") -> Predictions:
    """Calibrated predictions for all clips, each by the network without its speaker.

    Args:
        model: See :func:`held_out_model`. Without a temperature the networks are not calibrated.
        modality: What the networks get.
    """
    fitted = model.calibrated() if model.fitted_on is not None else None
    temperatures = None if fitted is None else [fold.temperature for fold in fitted]
    return model.predict(partial(remove_modality, modality=REMOVED[modality]), temperatures)


def fit_thresholds(model: EvaluatedModel) -> dict[str, HeldOutThreshold]:
    """A confidence threshold for each input, fitted on the held-out predictions.

    Args:
        model: See :func:`held_out_model`.

    Returns:
        Input ("both", "voice", "face") -> threshold; inputs that no clip has are missing. Nothing
        where the clips name no speakers, or the folds have no temperatures.
    """
    speakers = {name for fold in model.folds for name in fold.test.speakers}
    if model.fitted_on is None or len(speakers) < 2:
        return {}
    out, rows = {}, modality_rows(model)
    for modality, name in INPUT_OF.items():
        if not rows[modality].any():
            continue
        table = held_out_predictions(model, modality).at(rows[modality])
        curve = abstention_curve(table.probs, table.true_labels)
        at = curve.threshold_for(WANTED_ACCURACY)
        answered = table.probs.max(1) >= (2.0 if at is None else at)
        out[name] = HeldOutThreshold(
            threshold=at,
            samples=len(table),
            answered=float(answered.mean()),
            accuracy=float(table.correct[answered].mean()) if answered.any() else None,
        )
    return out
