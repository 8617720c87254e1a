"""Intervals and paired tests that treat the person, not the sample, as the unit.

Takes of one speaker resemble each other, so an interval over samples is too narrow. Speakers are
drawn with replacement instead, each with all of their samples. Predictions of several seeds on the
same samples can be given one after the other, with their speakers: they stay together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avtca.evaluation.metrics import METRICS, Metric, binary_confusions, checked

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A value with the interval ``low .. high``; both NaN where there is only one speaker."""

    value: float
    low: float
    high: float
    level: float = LEVEL

    def to_list(self) -> list[float]:
        """``[value, low, high]``."""
        return [self.value, self.low, self.high]


@dataclass(frozen=True)
class Difference(Interval):
    """A difference of two systems; ``p`` is the bootstrap's two-sided p-value against zero."""

    p: float = 1.0


def speaker_confusions(
    probs: ArrayLike, labels: ArrayLike, speakers: ArrayLike
) -> NDArray[np.int64]:
    """``(s, k, k)``: the confusion matrix of each speaker, in the order of ``np.unique``.

    ``probs (n, k)`` scores, ``labels (n,)``, ``speakers (n,)`` names or numbers.
    """
    p, y = checked(probs, labels)
    k = p.shape[1]
    _, who, s = _people(speakers, len(y))
    cell = (who * k + y) * k + p.argmax(1)
    return np.bincount(cell, minlength=s * k * k).reshape(s, k, k).astype(np.int64)


def speaker_binary_confusions(
    named: ArrayLike, truth: ArrayLike, speakers: ArrayLike
) -> NDArray[np.int64]:
    """``(s, k, 2, 2)`` for several-label answers and truth, bool ``(n, k)``."""
    a, t = np.asarray(named, bool), np.asarray(truth, bool)
    _, who, s = _people(speakers, len(t))
    return np.stack([binary_confusions(t[who == j], a[who == j]) for j in range(s)])


def bootstrap(
    matrices: NDArray[np.int64],
    metric: Metric,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Percentile interval of ``metric`` over speakers, from their matrices ``(s, ...)``.

    ``metric`` takes summed matrices ``(b, ...)`` and gives ``(b,)``; resamples in which it is
    NaN are left out.
    """
    value = float(metric(matrices.sum(0)))
    if len(matrices) < 2:
        return Interval(value, np.nan, np.nan, level)
    return Interval(
        value, *_percentiles(metric(_resample(matrices, resamples, seed)), level), level
    )


def intervals(
    probs: ArrayLike,
    labels: ArrayLike,
    speakers: ArrayLike,
    *,
    metrics: Mapping[str, Metric] = METRICS,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Interval]:
    """An :class:`Interval` for each metric, all on the same draws of speakers."""
    matrices = speaker_confusions(probs, labels, speakers)
    return {
        name: bootstrap(matrices, metric, resamples=resamples, level=level, seed=seed)
        for name, metric in metrics.items()
    }


def paired_difference(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    metric: Metric,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Difference:
    """``metric(first) - metric(second)`` of two systems on the same samples.

    ``first`` and ``second`` are matrices ``(s, ...)`` of the same speakers in the same order,
    with the same samples (``ValueError`` where a class of a speaker has other counts). Both
    systems see the same draw of speakers, so that hard speakers cancel. ``p`` is twice the share
    of draws on the far side of zero, at least ``1 / resamples``.
    """
    if first.shape != second.shape or (first.sum(-1) != second.sum(-1)).any():
        raise ValueError("the two systems were not evaluated on the same samples of each speaker")
    value = float(metric(first.sum(0)) - metric(second.sum(0)))
    if len(first) < 2:
        return Difference(value, np.nan, np.nan, level, np.nan)
    draws = metric(_resample(first, resamples, seed)) - metric(_resample(second, resamples, seed))
    draws = draws[~np.isnan(draws)]
    far = min(np.mean(draws <= 0), np.mean(draws >= 0)) if len(draws) else np.nan
    p = float(np.clip(2 * far, 1 / resamples, 1))
    return Difference(value, *_percentiles(draws, level), level, p)


def mcnemar(first_right: ArrayLike, second_right: ArrayLike) -> float:
    """Exact two-sided McNemar p-value of two systems on the same samples, bool ``(n,)`` each.

    Under the null hypothesis a sample on which just one system is right is a fair coin. It takes
    the samples as independent, which takes of one speaker are not: read it beside
    :func:`paired_difference`.
    """
    a, b = np.asarray(first_right, bool), np.asarray(second_right, bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"two arrays (n,) are needed, found {a.shape} and {b.shape}")
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    n, fewer = only_a + only_b, min(only_a, only_b)
    tail = sum(comb(n, j) for j in range(fewer + 1))
    return float(min(1.0, 2 * tail / 2**n))


def _people(speakers: ArrayLike, n: int) -> tuple[NDArray[np.generic], NDArray[np.int64], int]:
    names, who = np.unique(np.asarray(speakers), return_inverse=True)
    if who.shape != (n,):
        raise ValueError(f"{who.size} speakers for {n} samples")
    return names, who.astype(np.int64), len(names)


def _resample(matrices: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Summed matrices ``(resamples, ...)`` of speakers drawn with replacement."""
    s = len(matrices)
    draws = np.random.default_rng(seed).multinomial(s, np.full(s, 1 / s), size=resamples)
    flat = matrices.reshape(s, -1).astype(np.float64)
    return (draws.astype(np.float64) @ flat).reshape(resamples, *matrices.shape[1:])


def _percentiles(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    tail, known = 50 * (1 - level), values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)
