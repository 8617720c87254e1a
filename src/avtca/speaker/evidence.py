"""Evidence that a face speaks: how well its mouth predicts the level of speech.

Linear filters, one for the level and one for its quick changes, predict the level from the motion
of a mouth up to a quarter of a second before. Where the predictions correlate with what is heard,
the voice is this person's: a logistic score of the two correlations, which is a sum over the time
with a voice, so that evidence adds up. All numbers in speaker.json were fitted by
``benchmarks/speaker.py`` on the talking clips of ``../shared``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avtca.errors import CheckpointError
from avtca.networks import WEIGHTS
from avtca.speaker.mouths import MOUTH_RATE, MouthSeries

FILE = "speaker.json"
LAGS = range(-1, 7)
"""Steps by which the mouth may precede the voice: -40 to 240 ms."""
CHANNELS = 3
FLOORS = 0.03, 0.02, 0.05
"""Least spread of the height and width of the lips, in widths, and of the root of the motion.
Mouths that move less hold still."""
PREDICTED_FLOOR = 0.05
"""Least spread of a predicted level, in standard deviations of the level."""
DYNAMIC_DB = 25.0
"""Levels further below the loudest are alike."""
QUICK_STEPS = 8.0
"""Standard deviation of the smoothing that is taken off the level to leave its quick changes."""
MAX_GAP_S = 0.4
"""Longest time without a face within a stretch."""
AROUND_STEPS = 8
"""Steps before and after a voice that count too: mouths open first and close last."""
LOCAL_STEPS = 50
"""Steps before and after over which means and spreads are taken."""
MIN_STEPS = 10
"""Fewer steps with a voice are no evidence."""
Double = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class SpeakerWeights:
    """The fitted numbers.

    Attributes:
        filters: ``(3 * n_lags, 2)``: predict the level and its quick changes.
        score: ``(3,)``: weights of both correlations, and of the time, per second.
    """

    filters: Double
    score: Double


@lru_cache(maxsize=1)
def packaged_weights() -> SpeakerWeights:
    """The weights that are installed with avtca.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    path = WEIGHTS / FILE
    try:
        plain = json.loads(path.read_bytes())
        filters, score = np.array(plain["filters"], float), np.array(plain["score"], float)
    except (OSError, ValueError, KeyError, TypeError):
        raise CheckpointError(f"load {path}", "missing or damaged", "install avtca again") from None
    if filters.shape != (CHANNELS * len(LAGS), 2) or score.shape != (3,):
        fix = "install avtca again"
        raise CheckpointError(f"load {path}", "it is from another version of avtca", fix)
    return SpeakerWeights(filters, score)


@dataclass(frozen=True)
class Stretch:
    """A mouth and the voice while a face is in view without a gap, at 25 steps a second.

    Attributes:
        first: First step.
        mouth: Height, width and motion ``(n, 3)``, standardised.
        level: The level and its quick changes ``(n, 2)``, standardised where ``heard``.
        heard: Steps ``(n,)`` with a voice, or near one.
    """

    first: int
    mouth: Double
    level: Double
    heard: Bool

    def sums(self, filters: Double) -> Double:
        """Summands ``(n, 3)`` of the score: both correlations and the time, in seconds."""
        if self.heard.sum() < MIN_STEPS:
            return np.zeros((len(self.heard), 3))
        predicted = np.zeros((len(self.mouth), 2))
        for column, weights in zip(lagged(self.mouth), filters, strict=True):
            predicted += column[:, None] * weights
        mean, spread = _local(predicted, self.heard, PREDICTED_FLOOR)
        products = (predicted - mean) / spread * self.level
        parts = np.column_stack((products, np.ones(len(products)))) / MOUTH_RATE
        return np.where(self.heard[:, None], parts, 0.0)


def stretches(series: MouthSeries, level: Double, voiced: Bool) -> list[Stretch]:
    """The stretches of one person.

    Args:
        series: Its mouth.
        level: Level of the clip in decibels, 25 a second.
        voiced: Whether each of these steps has a voice.
    """
    times = np.array(series.times) + 0.5 / MOUTH_RATE
    values, near_voice = np.array(series.values), near(voiced)
    out = []
    cuts = np.flatnonzero(np.diff(times) > MAX_GAP_S) + 1
    for at in np.split(np.arange(len(times)), cuts):
        if len(at) < MIN_STEPS:
            continue
        first = max(0, int(np.ceil(times[at[0]] * MOUTH_RATE - 0.5 - 1e-6)))
        last = min(len(level), int(times[at[-1]] * MOUTH_RATE - 0.5 + 1e-6) + 1)
        if last - first < MIN_STEPS:
            continue
        steps = (np.arange(first, last) + 0.5) / MOUTH_RATE
        mouth = np.stack([np.interp(steps, times[at], column[at]) for column in values.T], axis=1)
        heard = near_voice[first:last]
        out.append(Stretch(first, _standard(mouth), _levels(level[first:last], heard), heard))
    return out


def evidence(stretch: Stretch, weights: SpeakerWeights) -> Double:
    """Log of the odds that this person speaks and not somebody else, by step ``(n,)``; they add."""
    return stretch.sums(weights.filters) @ weights.score


def _standard(mouth: Double) -> Double:
    """Standardised channels ``(n, 3)``."""
    width = max(1.0, float(np.median(mouth[:, 1])))
    channels = np.column_stack((mouth[:, :2] / width, np.sqrt(mouth[:, 2])))
    everywhere = np.ones(len(mouth), np.bool_)
    mean, spread = _local(channels, everywhere, np.array(FLOORS))
    return (channels - mean) / spread


def lagged(mouth: Double) -> Iterator[Double]:
    """Each channel of ``(n, 3)`` at each lag ``(n,)``, in the order of the filters."""
    at = np.arange(len(mouth))
    for channel in range(CHANNELS):
        for lag in LAGS:
            yield mouth[np.clip(at - lag, 0, len(mouth) - 1), channel]


def _levels(level: Double, heard: Bool) -> Double:
    """The level and its quick changes, standardised over the steps with a voice."""
    around = np.pad(level, LOCAL_STEPS, constant_values=-np.inf)
    loudest = np.lib.stride_tricks.sliding_window_view(around, 2 * LOCAL_STEPS + 1).max(axis=1)
    clipped = np.maximum(level - loudest, -DYNAMIC_DB)
    both = np.column_stack((clipped, clipped - _smooth(clipped)))
    if not heard.any():
        return np.zeros_like(both)
    mean, spread = _local(both, heard, 1e-3)
    return (both - mean) / spread


def _smooth(values: Double) -> Double:
    """Gaussian smoothing by :data:`QUICK_STEPS`; the ends are repeated."""
    reach = int(4 * QUICK_STEPS)
    kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / QUICK_STEPS))
    return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), "valid")


def near(voiced: Bool) -> Bool:
    """Steps with a voice within :data:`AROUND_STEPS`."""
    if not len(voiced):
        return voiced
    kernel = np.ones(2 * AROUND_STEPS + 1)
    return np.convolve(voiced, kernel)[AROUND_STEPS:][: len(voiced)] > 0


def _local(values: Double, used: Bool, floor: Double | float) -> tuple[Double, Double]:
    """Mean and spread ``(n, c)`` of the used values around each step, with a floor."""
    n = len(values)
    low = np.clip(np.arange(n) - LOCAL_STEPS, 0, n)
    high = np.clip(np.arange(n) + LOCAL_STEPS + 1, 0, n)

    def total(summands: Double) -> Double:
        sums = np.concatenate((np.zeros((1, summands.shape[1])), np.cumsum(summands, axis=0)))
        return sums[high] - sums[low]

    weight = used[:, None].astype(np.float64)
    count = np.maximum(total(weight), 1.0)
    mean = total(values * weight) / count
    variance = np.maximum(total(np.square(values) * weight) / count - np.square(mean), 0)
    return mean, np.sqrt(variance + np.square(floor))
