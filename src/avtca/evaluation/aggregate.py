"""Metrics over the folds and seeds of one system.

Each sample is in the test set of one fold. For each seed the predictions of all folds form one
table; a figure is the mean over the seeds of the figure of such a table. The confidence interval
resamples *speakers*, each with all samples and all seeds; the spread is over the folds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.evaluation.bootstrap import (
    DIFFERENCE_RESAMPLES,
    LEVEL,
    bootstrap,
    paired_difference,
)
from avtca.evaluation.metrics import (
    METRICS,
    Metric,
    accuracy,
    f1_present,
    per_class,
    speaker_binary_confusions,
    speaker_confusions,
    weighted_accuracy,
    weighted_f1,
)
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.report import (
    Baselines,
    GroupMetrics,
    MetricName,
    Metrics,
    PairedDifference,
    PerClass,
    PooledMetrics,
    Summary,
)
from avtca.evaluation.sentiment import sentiment_classes
from avtca.labels import SENTIMENT7

Matrices = NDArray[np.int64]
Seed = int | None
"""Seed of a training; ``None`` for predictions without one: an ensemble, a published system."""
PredictionsBySeed = Mapping[Seed, Sequence[Predictions]]
"""Seed -> predictions on the test set of each fold."""


def over_labels(metric: Metric) -> Metric:
    """The mean of a metric over the labels' ``(..., k, 2, 2)`` matrices.

    Labels for which it is NaN are left out; the mean is NaN where none remains.
    """

    def mean(matrices: NDArray[Any]) -> NDArray[np.float64]:
        values = metric(matrices)
        known = ~np.isnan(values)
        total, count = np.where(known, values, 0).sum(-1), known.sum(-1)
        return np.asarray(np.where(count, total / np.maximum(count, 1), np.nan))

    return mean


BINARY_METRICS: dict[MetricName, Metric] = {
    "accuracy": over_labels(accuracy),
    "uar": over_labels(weighted_accuracy),
    "weighted_f1": over_labels(weighted_f1),
    "macro_f1": over_labels(f1_present),
}
"""Metrics of several labels a sample: means over the labels. ``uar`` is CMU-MOSEI's weighted
accuracy, ``weighted_f1`` covers presence and absence, ``macro_f1`` presence alone."""


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)


def metric_functions(predictions: Predictions) -> dict[MetricName, Metric]:
    """The metrics that fit the predictions: for one label a sample, or for several.

    Values of sentiment are rounded to one of seven labels.
    """
    return BINARY_METRICS if predictions.binary else METRICS


def speaker_matrices(predictions: Predictions) -> Matrices:
    """Confusion matrices of each speaker ``(s, ...)``, in the order of their names."""
    if predictions.binary:
        return speaker_binary_confusions(
            predictions.probs >= 0.5, predictions.targets > 0.5, predictions.speakers
        )
    if predictions.output == "linear":
        truth, found = sentiment_classes(predictions.targets), sentiment_classes(predictions.probs)
        scores = np.eye(len(SENTIMENT7))[found]
        return speaker_confusions(scores, truth, predictions.speakers)
    return speaker_confusions(predictions.probs, predictions.true_labels, predictions.speakers)


def stack_seeds(tables: Sequence[Predictions]) -> Matrices:
    """Confusion matrices ``(s, seeds, ...)`` of several seeds' predictions on the same samples."""
    return np.stack([speaker_matrices(table.ordered()) for table in tables], axis=1)


def mean_over_seeds(metric: Metric) -> Metric:
    """A metric of summed ``(..., seeds, k, k)``: the mean over the seeds."""

    def mean(matrices: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.asarray(metric(matrices)).mean(-1))

    return mean


def estimate_metrics(predictions: Predictions) -> Metrics:
    """The metrics of one table with their intervals."""
    matrices = speaker_matrices(predictions)
    functions = metric_functions(predictions)
    return Metrics(
        **{name: bootstrap(matrices, functions[name]).to_estimate() for name in functions}
    )


def pool(tables: Sequence[Predictions]) -> PooledMetrics:
    """Metrics over all samples, with the confusion matrix and each label's figures.

    Args:
        tables: Predictions of each seed on the same samples.
    """
    first, matrices = tables[0], stack_seeds(tables)
    metrics = {
        name: bootstrap(matrices, mean_over_seeds(metric)).to_estimate()
        for name, metric in metric_functions(first).items()
    }
    confusion, by_class = None, None
    if not first.binary:
        mean = matrices.sum(0).mean(0)
        confusion = np.round(mean, 2).tolist()
        by_class = _per_class(mean)
    return PooledMetrics(
        **metrics,
        confusion=confusion,
        per_class=by_class,
        labels=list(SENTIMENT7 if first.output == "linear" else first.labels),
        samples=len(first),
        baselines=baselines(first),
        speakers=len(set(first.speakers)),
        level=LEVEL,
    )


def _per_class(matrix: NDArray[np.float64]) -> PerClass:
    values = {name: np.round(found, 5).tolist() for name, found in per_class(matrix).items()}
    support = values.pop("support")
    known = {
        name: [x if n else None for x, n in zip(found, support, strict=True)]
        for name, found in values.items()
    }
    return PerClass(**known, support=support)


def baselines(predictions: Predictions) -> Baselines | None:
    """Chance and majority on the samples; ``None`` for several labels a sample."""
    if predictions.binary:
        return None
    counts = speaker_matrices(predictions).sum((0, 2))
    labels = SENTIMENT7 if predictions.output == "linear" else predictions.labels
    return Baselines(
        chance=round(1 / len(counts), 5),
        majority=round(float(counts.max() / counts.sum()), 5),
        majority_uar=round(1 / np.count_nonzero(counts), 5),
        majority_label=labels[int(counts.argmax())],
    )


def counted(predictions: Predictions) -> GroupMetrics:
    """The metrics of one table, with its number of samples and baselines."""
    return GroupMetrics(
        samples=len(predictions),
        baselines=baselines(predictions),
        **vars(estimate_metrics(predictions)),
    )


def summarise(folds_by_seed: PredictionsBySeed) -> Summary:
    """Metrics of a cross-validation over all folds and seeds.

    Args:
        folds_by_seed: For each seed the predictions on the test set of each fold.
    """
    tables = [Predictions.joined(list(folds)) for folds in folds_by_seed.values()]
    functions = metric_functions(tables[0])
    by_seed = {
        str(seed).lower(): {name: round(_value(table, f), 5) for name, f in functions.items()}
        for seed, table in zip(folds_by_seed, tables, strict=True)
    }
    by_fold = {
        name: np.array([[_value(fold, f) for fold in folds] for folds in folds_by_seed.values()])
        for name, f in functions.items()
    }
    return Summary(
        **vars(pool(tables)),
        seeds=by_seed,
        folds={name: [_rounded(x) for x in values.mean(0)] for name, values in by_fold.items()},
        spread={
            name: _rounded(values.mean(0).std(ddof=1)) if values.shape[1] > 1 else None
            for name, values in by_fold.items()
        },
    )


def _value(predictions: Predictions, metric: Metric) -> float:
    return float(metric(speaker_matrices(predictions).sum(0)))


def common_seeds(first: Mapping[Seed, Any], second: Mapping[Seed, Any]) -> list[Seed]:
    """Seeds that both systems have; all of the other system's where one has no seed."""
    if None in first or None in second:
        return list(second if None in first else first)
    return [seed for seed in first if seed in second]


def of_seed(tables: Mapping[Seed, Predictions], seed: Seed) -> Predictions:
    """The predictions of a seed, or those without a seed."""
    return tables[seed] if seed in tables else tables[None]


def metric_difference(
    first: Mapping[Seed, Predictions],
    second: Mapping[Seed, Predictions],
    metric: MetricName = "accuracy",
) -> PairedDifference:
    """``metric(first) - metric(second)``, the mean over common seeds, with interval and p-value.

    Speakers and seeds are resampled (:func:`~avtca.evaluation.bootstrap.paired_difference`).

    Args:
        first: Predictions of each seed of one system.
        second: Predictions of the other system on the same samples.
        metric: The metric to compare.

    Raises:
        ValueError: If the two have no seed in common, or were not evaluated on the same samples.
    """
    seeds = common_seeds(first, second)
    if not seeds:
        raise ValueError("the two systems have no seed in common")
    a, b = (stack_seeds([of_seed(tables, seed) for seed in seeds]) for tables in (first, second))
    score = metric_functions(next(iter(first.values())))[metric]
    found = paired_difference(a, b, score, resamples=DIFFERENCE_RESAMPLES, over_seeds=True)
    value, low, high = found.to_estimate()
    p = None if np.isnan(found.p) else found.p
    return PairedDifference(value=value, low=low, high=high, p=p)
