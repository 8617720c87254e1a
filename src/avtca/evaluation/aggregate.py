"""Folds and seeds of one system, brought to one line of a table.

Every sample is in the test side of one fold. For each seed the answers of all folds are one table;
figures are the mean over seeds of the figure of such a table. The interval draws *speakers*, each
with all of their samples and all seeds; the spread is over the folds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.evaluation.bootstrap import (
    LEVEL,
    Interval,
    bootstrap,
    paired_difference,
    speaker_binary_confusions,
    speaker_confusions,
)
from avtca.evaluation.metrics import (
    METRICS,
    Metric,
    f1_holds,
    per_class,
    weighted_accuracy,
    weighted_f1,
)
from avtca.evaluation.predictions import Predictions

Matrices = NDArray[np.int64]


def over_labels(metric: Metric) -> Metric:
    """Mean over the labels' ``(..., k, 2, 2)`` matrices, labels without a value left out.

    NaN where no label has one.
    """

    def mean(matrices: NDArray[Any]) -> NDArray[np.float64]:
        values = metric(matrices)
        known = ~np.isnan(values)
        total, count = np.where(known, values, 0).sum(-1), known.sum(-1)
        return np.asarray(np.where(count, total / np.maximum(count, 1), np.nan))

    return mean


def binary_accuracy(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Share of right answers in ``(..., 2, 2)``."""
    c = np.asarray(matrix, np.float64)
    return np.asarray(np.trace(c, axis1=-2, axis2=-1) / np.maximum(c.sum((-2, -1)), 1))


BINARY_METRICS: dict[str, Metric] = {
    "accuracy": over_labels(binary_accuracy),
    "uar": over_labels(weighted_accuracy),
    "weighted_f1": over_labels(weighted_f1),
    "macro_f1": over_labels(f1_holds),
}
"""Of several labels at once: means over the labels. ``uar`` is CMU-MOSEI's weighted accuracy,
``weighted_f1`` goes over presence and absence, ``macro_f1`` over presence alone."""


def to_estimate(interval: Interval) -> list[float | None]:
    """``[value, low, high]`` for JSON; ``None`` where there is none (a single person)."""
    return [_rounded(x) for x in interval.to_list()]


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)


def metric_functions(predictions: Predictions) -> dict[str, Metric]:
    """The metrics that fit a table of answers."""
    return BINARY_METRICS if predictions.binary else METRICS


def speaker_matrices(predictions: Predictions) -> Matrices:
    """Confusion matrices of each speaker, in the order of their names."""
    if predictions.binary:
        return speaker_binary_confusions(
            predictions.probs >= 0.5, predictions.targets > 0.5, predictions.speakers
        )
    return speaker_confusions(predictions.probs, predictions.true_labels, predictions.speakers)


def stack_seeds(tables: Sequence[Predictions]) -> Matrices:
    """``(s, seeds, ...)``: each speaker's matrices of every seed. All seeds see the same samples."""
    return np.stack([speaker_matrices(table.ordered()) for table in tables], axis=1)


def mean_over_seeds(metric: Metric) -> Metric:
    """A metric of summed ``(..., seeds, k, k)``: the mean of the seeds' figures."""

    def mean(matrices: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.asarray(metric(matrices)).mean(-1))

    return mean


def summarise(folds_by_seed: Mapping[int, Sequence[Predictions]]) -> dict[str, Any]:
    """One line of a table, in plain values.

    ``folds_by_seed``: for each seed the answers on the test side of each fold. Keys: each metric
    -> ``[mean over seeds, low, high]``; ``seeds``: seed -> metric -> value; ``folds``: metric ->
    mean over seeds for each fold; ``spread``: metric -> standard deviation over the folds;
    ``samples``, ``speakers``, ``level``, ``per_class``, ``confusion`` (mean over seeds).
    """
    tables = [Predictions.joined(list(folds)) for folds in folds_by_seed.values()]
    first = tables[0]
    metrics = metric_functions(first)
    matrices = stack_seeds(tables)
    out: dict[str, Any] = {}
    for name, metric in metrics.items():
        found = bootstrap(matrices, mean_over_seeds(metric))
        out[name] = to_estimate(found)
    out["seeds"] = {
        str(seed): {
            name: round(float(metric(speaker_matrices(table).sum(0))), 5)
            for name, metric in metrics.items()
        }
        for seed, table in zip(folds_by_seed, tables, strict=True)
    }
    by_fold = {
        name: np.array(
            [
                [float(metric(speaker_matrices(fold).sum(0))) for fold in folds]
                for folds in folds_by_seed.values()
            ]
        )
        for name, metric in metrics.items()
    }
    out["folds"] = {
        name: [_rounded(value) for value in values.mean(0)] for name, values in by_fold.items()
    }
    out["spread"] = {
        name: _rounded(values.mean(0).std(ddof=1)) if values.shape[1] > 1 else None
        for name, values in by_fold.items()
    }
    if not first.binary:
        mean = matrices.sum(0).mean(0)
        out["confusion"] = np.round(mean, 2).tolist()
        out["per_class"] = {
            name: np.round(values, 5).tolist() for name, values in per_class(mean).items()
        }
    out |= {
        "labels": list(first.labels),
        "samples": len(first),
        "speakers": len(set(first.speakers)),
        "level": LEVEL,
    }
    return out


def difference(
    first: Sequence[Predictions], second: Sequence[Predictions], metric: str = "accuracy"
) -> dict[str, float | None]:
    """``metric(first) - metric(second)``, means over seeds, with its speaker interval and p.

    Both must have answered the same samples (``ValueError``); the numbers of seeds may differ.
    """
    score = metric_functions(first[0])[metric]
    a, b = stack_seeds(first), stack_seeds(second)
    wide = int(np.lcm(a.shape[1], b.shape[1]))
    a, b = (np.repeat(part, wide // part.shape[1], axis=1) for part in (a, b))
    found = paired_difference(a, b, mean_over_seeds(score))
    value, low, high = to_estimate(found)
    return {"value": value, "low": low, "high": high, "p": None if np.isnan(found.p) else found.p}
