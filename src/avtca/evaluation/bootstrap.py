"""Bootstrap confidence intervals and paired tests over speakers.

Samples of one speaker resemble each other, so that an interval over samples is too narrow. Speakers
are resampled with replacement instead, each with all of their samples. Predictions of several seeds
on the same samples may be concatenated: a speaker's stay together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avtca.evaluation.metrics import METRICS, Metric, speaker_confusions
from avtca.evaluation.report import Estimate, MetricName

RESAMPLES = 2000
DIFFERENCE_RESAMPLES = 20_000
"""For differences, whose p-values are adjusted for the number of comparisons."""
LEVEL = 0.95
"""Confidence level of every interval."""


@dataclass(frozen=True)
class Interval:
    """A value with its interval ``low .. high``; both are NaN for a single speaker."""

    value: float
    low: float
    high: float

    def to_estimate(self) -> Estimate:
        """Rounded for JSON; ``None`` for NaN (a single speaker)."""
        return Estimate(*(None if np.isnan(x) else round(float(x), 5) for x in self.to_list()))

    def to_list(self) -> list[float]:
        """``[value, low, high]``."""
        return [self.value, self.low, self.high]


@dataclass(frozen=True)
class Difference(Interval):
    """A difference of two systems; ``p`` is the two-sided bootstrap p-value against zero."""

    p: float = 1.0


def bootstrap(
    matrices: NDArray[np.int64],
    metric: Metric,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile interval of ``metric`` over speakers, from their matrices ``(s, ...)``.

    ``metric`` maps summed matrices ``(b, ...)`` to ``(b,)``; resamples for which it is NaN are left
    out.
    """
    value = float(metric(matrices.sum(0)))
    if len(matrices) < 2:
        return Interval(value, np.nan, np.nan)
    return Interval(value, *_percentiles(metric(_resample(matrices, resamples, seed))))


def intervals(
    probs: ArrayLike, labels: ArrayLike, speakers: ArrayLike, *, seed: int = 0
) -> dict[MetricName, Interval]:
    """An :class:`Interval` for each metric, all with the same resamples."""
    matrices = speaker_confusions(probs, labels, speakers)
    return {name: bootstrap(matrices, metric, seed=seed) for name, metric in METRICS.items()}


def paired_difference(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    metric: Metric,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    over_seeds: bool = False,
) -> Difference:
    """``metric(first) - metric(second)`` of two systems on the same samples.

    Both systems are resampled with the same speakers, so that difficult speakers cancel. ``p`` is
    twice the share of resamples on the far side of zero, at least ``1 / resamples``.

    Args:
        first: Confusion matrices ``(s, ...)`` of the speakers.
        second: Those of the other system, with the same speakers in the same order.
        metric: Metric of summed matrices.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling.
        over_seeds: Whether axis 1 of the matrices is the seed of the training. The value is then
            the mean over the seeds, and each resample draws seeds beside speakers, so that the
            interval has the variance of both. Few seeds vary too little: the variance over three is
            two thirds of what it should be, and over one it is zero.

    Raises:
        ValueError: If a class of a speaker has different numbers of samples.
    """
    if first.shape != second.shape or (first.sum(-1) != second.sum(-1)).any():
        raise ValueError("the two systems were not evaluated on the same samples of each speaker")
    value = float(np.mean(metric(first.sum(0)) - metric(second.sum(0))))
    if len(first) < 2:
        return Difference(value, np.nan, np.nan, np.nan)
    draws = metric(_resample(first, resamples, seed)) - metric(_resample(second, resamples, seed))
    if over_seeds:
        n = first.shape[1]
        drawn = np.random.default_rng([seed, 1]).multinomial(n, np.full(n, 1 / n), size=resamples)
        draws = (draws * drawn / n).sum(1)
    draws = draws[~np.isnan(draws)]
    far = min(np.mean(draws <= 0), np.mean(draws >= 0)) if len(draws) else np.nan
    p = float(np.clip(2 * far, 1 / resamples, 1))
    return Difference(value, *_percentiles(draws), p)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm 1979), in the same order."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(stepped, 1)
    return out.tolist()


def mcnemar(first_correct: ArrayLike, second_correct: ArrayLike) -> float:
    """Exact two-sided McNemar p-value of two systems on the same samples, bool ``(n,)`` each.

    Under the null hypothesis each system is as likely to be the correct one, where only one is. The
    test treats samples as independent, which samples of one speaker are not: report it together
    with :func:`paired_difference`.
    """
    a, b = np.asarray(first_correct, bool), np.asarray(second_correct, bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"two arrays (n,) are needed, found {a.shape} and {b.shape}")
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    n, fewer = only_a + only_b, min(only_a, only_b)
    tail = sum(comb(n, j) for j in range(fewer + 1))
    return float(min(1.0, 2 * tail / 2**n))


def _resample(matrices: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Summed matrices ``(resamples, ...)`` of speakers drawn with replacement."""
    s = len(matrices)
    draws = np.random.default_rng(seed).multinomial(s, np.full(s, 1 / s), size=resamples)
    flat = matrices.reshape(s, -1).astype(np.float64)
    return (draws.astype(np.float64) @ flat).reshape(resamples, *matrices.shape[1:])


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    tail, known = 50 * (1 - LEVEL), values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)
