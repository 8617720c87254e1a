"""The evaluation report of a model on held-out speakers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.evaluation.adaptation import normalisation_report
from avtca.evaluation.aggregate import counted, pool
from avtca.evaluation.agreement import agreement
from avtca.evaluation.calibration import calibration_report
from avtca.evaluation.degradations import REMOVED, remove_modality
from avtca.evaluation.evaluated_model import EvaluatedModel
from avtca.evaluation.metrics import fit_thresholds, multilabel_summary, rounded
from avtca.evaluation.predictions import CalibratedFold, Predictions
from avtca.evaluation.report import (
    EvaluationReport,
    GroupMetrics,
    LeftOut,
    Modality,
    MultilabelThresholds,
    RaterAgreement,
)
from avtca.evaluation.selective import abstention_report, prediction_sets
from avtca.evaluation.sentiment import sentiment_metrics

GROUPS = ("sex", "age", "intensity", "race", "ethnicity", "channel")
"""Columns of the manifest that samples are grouped by."""
AGES = (("under 30", 0, 30), ("30 to 49", 30, 50), ("50 and over", 50, 200))
"""Age groups in years, upper bounds excluded."""
FITTED = (
    "temperature",
    "prediction sets",
    "abstention",
    "predictions normalised over each speaker's own samples",
)
"""Sections that are fitted on other speakers' predictions."""
SINGLE_LABEL = "they need a single label per sample"
"""Why a model of several labels a sample, or of a value, has none of them."""


def evaluate_model(model: EvaluatedModel) -> EvaluationReport:
    """Evaluate a model on its test data.

    Args:
        model: The model with its test data, see :func:`~avtca.evaluation.open_model.open_model`.
    """
    plain = model.predict()
    report = EvaluationReport(
        name=model.name,
        variant=model.card.variant,
        clip_spec_hash=model.card.clip_spec.hash,
        split=model.split,
        networks=sum(len(fold.networks) for fold in model.folds),
        labels=list(plain.labels),
        samples=len(plain),
        speakers=len(set(plain.speakers)),
        metrics=pool([plain]),
        modalities=modality_metrics(model),
        groups=group_metrics(model, plain),
        agreement=agreement(plain),
    )
    if model.votes and model.intended is not None:
        report = replace(report, raters=rater_agreement(model.votes, plain, model.intended))
    if plain.output != "softmax":
        report = replace(report, left_out=LeftOut(what=list(FITTED), why=SINGLE_LABEL))
    if plain.output == "linear":
        found = sentiment_metrics(plain.targets, plain.probs, plain.speakers)
        return replace(report, sentiment=found)
    if plain.output == "sigmoid":
        summary = multilabel_summary(plain.probs, plain.targets > 0.5, plain.labels)
        report = replace(report, multilabel=summary, fitted_on=model.fitted_on)
        if model.fitted_on is None:
            return report
        return replace(report, multilabel_thresholds=multilabel_thresholds(model.calibrated()))
    if model.split.target not in (None, "label"):
        report = replace(report, intended=_intended(model, plain))
    if model.fitted_on is None:
        return replace(report, left_out=LeftOut(what=list(FITTED), why=model.not_fitted))
    fitted = model.calibrated()
    return replace(
        report,
        fitted_on=model.fitted_on,
        calibration=calibration_report(plain, fitted),
        sets=prediction_sets(fitted),
        abstention=abstention_report(fitted),
        speaker_normalisation=normalisation_report(fitted),
    )


def multilabel_thresholds(folds: Sequence[CalibratedFold]) -> MultilabelThresholds:
    """Metrics with a threshold for each label, fitted for each fold on other speakers."""
    fitted = [fit_thresholds(fold.seen.probs, fold.seen.targets > 0.5) for fold in folds]
    tests = Predictions.joined([fold.test for fold in folds])
    of_sample = np.repeat(fitted, [len(fold.test) for fold in folds], axis=0)
    return MultilabelThresholds(
        thresholds={
            name: rounded(found)
            for name, found in zip(tests.labels, np.transpose(fitted), strict=True)
        },
        metrics=multilabel_summary(
            tests.probs, tests.targets > 0.5, tests.labels, threshold=of_sample
        ),
    )


def modality_rows(model: EvaluatedModel) -> dict[Modality, NDArray[np.bool_]]:
    """Which of the test samples have these modalities, ``(n,)`` each."""
    audio, video = np.concatenate([dataset.modalities for dataset in model.test]).T
    return {"both": audio & video, "audio only": audio, "video only": video}


def modality_metrics(model: EvaluatedModel) -> dict[Modality, GroupMetrics]:
    """Metrics with both modalities and with each of them alone, on the samples that have them."""
    rows = modality_rows(model)
    return {
        name: counted(model.predict(partial(remove_modality, modality=removed)).at(rows[name]))
        for name, removed in REMOVED.items()
        if rows[name].any()
    }


def group_metrics(
    model: EvaluatedModel, predictions: Predictions
) -> dict[str, dict[str, GroupMetrics]]:
    """Metrics of the groups of samples in the columns :data:`GROUPS` of the manifest.

    Columns with a single value are left out; ages are collected in three groups.
    """
    out: dict[str, dict[str, GroupMetrics]] = {}
    for column in GROUPS:
        values: list[str] = []
        for dataset in model.test:
            found = dataset.metadata.get(column)
            values += [_group(column, v) for v in found] if found else [""] * len(dataset)
        groups = np.array(values)
        known = sorted(set(values) - {""})
        if len(known) > 1:
            out[column] = {name: counted(predictions.at(groups == name)) for name in known}
    return out


def _group(column: str, value: Any) -> str:
    if value is None or value != value:  # NaN
        return ""
    if column != "age":
        return str(value)
    return next((name for name, low, high in AGES if low <= float(value) < high), "")


def _intended(model: EvaluatedModel, plain: Predictions) -> GroupMetrics | None:
    """Metrics against the corpus's own label, where samples have one."""
    if model.intended is None or not model.intended.any():
        return None
    return counted(replace(plain, targets=model.intended).at(model.intended.sum(1) > 0))


def rater_agreement(
    votes: Mapping[str, NDArray[np.float64]],
    predictions: Predictions,
    intended: NDArray[np.float64],
) -> dict[str, RaterAgreement]:
    """How often raters and the model choose the intended label, on the same samples.

    The majority of raters chooses it where it is the single most frequent vote. The model, which
    gets both modalities, is also compared with the most frequent vote.

    Args:
        votes: What the raters were given ("voice", "face", "both") -> numbers of votes ``(n, k)``,
            NaN where a sample was not rated, with one more column for votes for other labels.
        predictions: The model's predictions.
        intended: The corpus's own label, one-hot ``(n, k)``; samples without one are left out.
    """
    out = {}
    for given, counts in votes.items():
        rated = np.isfinite(counts).all(1) & (intended.sum(1) > 0)
        if not rated.any():
            continue
        n, y = counts[rated], intended[rated].argmax(1)
        predicted = predictions.probs[rated].argmax(1)
        own, top = n[np.arange(len(y)), y], n.max(1)
        single = np.isclose(n, top[:, None]).sum(1) == 1
        single &= n.argmax(1) < intended.shape[1]
        as_voted = predicted[single] == n[single].argmax(1)
        out[given] = RaterAgreement(
            samples=int(rated.sum()),
            one_rater=float(own.sum() / n.sum()),
            majority=float((np.isclose(own, top) & single).mean()),
            network=float((predicted == y).mean()),
            voted=int(single.sum()),
            network_as_voted=float(as_voted.mean()) if len(as_voted) else None,
        )
    return out
