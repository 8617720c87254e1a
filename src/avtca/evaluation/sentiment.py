"""Metrics of predicted sentiment, -3..3, as the literature on CMU-MOSEI computes them.

The two forms with two classes differ in what happens to a true sentiment of 0 (Tsai et al. 2019,
Yu et al. 2021): it counts as non-negative, or its samples are left out.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avtca.evaluation.bootstrap import bootstrap
from avtca.evaluation.metrics import Float, Metric, accuracy, speaker_confusions, weighted_f1
from avtca.evaluation.report import Estimate, SentimentMetrics
from avtca.labels import SENTIMENT7


def sentiment_classes(values: ArrayLike) -> NDArray[np.int64]:
    """Values ``(n, 1)`` rounded to -3..3, as indices into ``SENTIMENT7``, ``(n,)``."""
    top = len(SENTIMENT7) // 2
    return np.asarray(np.asarray(values)[:, 0].clip(-top, top).round() + top).astype(np.int64)


def sentiment_metrics(
    targets: ArrayLike, predicted: ArrayLike, speakers: ArrayLike
) -> SentimentMetrics:
    """Metrics with intervals from a bootstrap over speakers (in CMU-MOSEI: videos).

    Args:
        targets: True sentiment ``(n, 1)``, -3..3.
        predicted: Predicted sentiment ``(n, 1)``.
        speakers: Speaker of each sample ``(n,)``.
    """
    t, p = (np.asarray(values, np.float64)[:, 0] for values in (targets, predicted))
    who = np.asarray(speakers)
    moments = np.stack([np.ones(len(t)), np.abs(p - t), p, t, p * p, t * t, p * t], axis=1)
    sums = np.stack([moments[who == one].sum(0) for one in np.unique(who)])
    seven = speaker_confusions(
        np.eye(len(SENTIMENT7))[sentiment_classes(predicted)], sentiment_classes(targets), who
    )
    with_zero = _two_classes(t >= 0, p >= 0, who)
    rows = t != 0
    without_zero = _two_classes(t[rows] > 0, p[rows] > 0, who[rows])
    return SentimentMetrics(
        mae=bootstrap(sums, _mean_absolute_error).to_estimate(),
        pearson=bootstrap(sums, _pearson).to_estimate(),
        accuracy7=_over_speakers(seven, accuracy),
        accuracy2_with_zero=_over_speakers(with_zero, accuracy),
        f1_with_zero=_over_speakers(with_zero, weighted_f1),
        accuracy2=_over_speakers(without_zero, accuracy),
        f1=_over_speakers(without_zero, weighted_f1),
    )


def _two_classes(
    true: NDArray[np.bool_], predicted: NDArray[np.bool_], speakers: NDArray[Any]
) -> NDArray[np.int64]:
    """Confusion matrices ``(s, 2, 2)`` of the speakers; none without samples."""
    if not len(true):
        return np.zeros((0, 2, 2), np.int64)
    return speaker_confusions(np.eye(2)[predicted.astype(int)], true.astype(int), speakers)


def _mean_absolute_error(sums: Any) -> Float:
    return np.asarray(sums[..., 1] / sums[..., 0])


def _pearson(sums: Any) -> Float:
    """Pearson's r; NaN where predictions or targets are constant."""
    n, _, p, t, pp, tt, pt = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    spread = np.maximum((n * pp - p * p) * (n * tt - t * t), 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(spread > 1e-9, (n * pt - p * t) / np.sqrt(spread), np.nan))


def _over_speakers(matrices: NDArray[np.int64], metric: Metric) -> Estimate:
    if not len(matrices):
        return Estimate(None, None, None)
    return bootstrap(matrices, metric).to_estimate()
