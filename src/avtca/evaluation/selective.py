"""Answers that say how sure they are: sets with a promised coverage, and abstention.

Probabilities are ``(n, k)``, labels integers ``(n,)``. The promise of a conformal set holds for
samples that are exchangeable with the calibration samples. Takes of people who are not in the
calibration set are that only as far as people are alike: measure coverage on unseen people.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avtca.evaluation.metrics import Float, checked

Method = Literal["lac", "aps"]
SLACK = 1e-9
"""Rounding allowed where scores meet the threshold."""


@dataclass(frozen=True)
class ConformalSets:
    """Prediction sets that hold the true label in at least ``1 - alpha`` of the samples.

    ``threshold`` is the calibrated quantile of the scores of the true labels, 1 where the
    calibration samples are too few for the promise (every label is then in the set).
    """

    method: Method
    alpha: float
    threshold: float

    def sets(self, probs: ArrayLike) -> NDArray[np.bool_]:
        """Labels in the set of each sample, bool ``(n, k)``; the top label always is."""
        p = np.asarray(probs, np.float64)
        inside = _scores(p, self.method) <= self.threshold + SLACK
        inside[np.arange(len(p)), p.argmax(1)] = True
        return inside


def fit_conformal(
    probs: ArrayLike, labels: ArrayLike, *, alpha: float = 0.1, method: Method = "lac"
) -> ConformalSets:
    """Calibrate sets on samples that are neither trained on nor tested (split conformal).

    "lac" takes labels of enough probability: the smallest sets on average (Sadinle et al. 2019).
    "aps" takes labels from the top until enough probability is gathered: larger sets, of a
    coverage that is more even between easy and hard samples (Romano et al. 2020, not randomised).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, found {alpha}")
    p, y = checked(probs, labels)
    true = np.sort(_scores(p, method)[np.arange(len(y)), y])
    rank = int(np.ceil((len(y) + 1) * (1 - alpha) - SLACK))
    return ConformalSets(method, alpha, float(true[rank - 1]) if rank <= len(y) else 1.0)


def set_coverage(sets: ArrayLike, labels: ArrayLike) -> float:
    """Share of samples whose set ``(n, k)`` holds their label ``(n,)``."""
    inside, y = np.asarray(sets, bool), np.asarray(labels)
    return float(inside[np.arange(len(y)), y].mean())


def _scores(p: Float, method: Method) -> Float:
    """How far each label of each sample is from being believed, ``(n, k)`` in 0..1."""
    if method == "lac":
        return 1 - p
    if method != "aps":
        raise ValueError(f"method is 'lac' or 'aps', found {method!r}")
    order = np.argsort(-p, axis=1, kind="stable")
    gathered = np.cumsum(np.take_along_axis(p, order, 1), axis=1)
    out = np.empty_like(p)
    np.put_along_axis(out, order, np.minimum(gathered, 1), 1)
    return out


@dataclass(frozen=True)
class AbstentionCurve:
    """What is gained by answering only where confidence reaches a threshold.

    One entry for each distinct confidence, falling: ``threshold (m,)``, ``coverage (m,)`` the
    share of samples answered, ``accuracy (m,)`` of those answered, ``count (m,)`` of them.
    """

    threshold: Float
    coverage: Float
    accuracy: Float
    count: NDArray[np.int64]

    @property
    def area(self) -> float:
        """Area under the risk-coverage curve (AURC): mean risk over the coverages, 0 best."""
        return float(np.sum((1 - self.accuracy) * np.diff(self.coverage, prepend=0)))

    def threshold_for(
        self, accuracy: float, *, least: int = 20, caution: float = 1.0
    ) -> float | None:
        """The threshold that answers most samples with at least this accuracy.

        The best-looking of many thresholds flatters itself, so it is the lower bound of the
        accuracy (Wilson's) that must reach the one wanted: ``caution`` standard errors down, 0
        for none. ``least``: answers that a threshold must rest on. ``None`` where no threshold
        will do. Choose on people held out from the test.
        """
        bound = _wilson_lower(self.accuracy, self.count, caution)
        good = np.flatnonzero((bound >= accuracy) & (self.count >= least))
        return float(self.threshold[good[-1]]) if len(good) else None


def _wilson_lower(share: Float, n: NDArray[np.int64], z: float) -> Float:
    """Lower end of Wilson's score interval of a share of ``n``."""
    spread = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.asarray((share + z**2 / (2 * n) - spread) / (1 + z**2 / n))


def abstention_curve(
    probs: ArrayLike, labels: ArrayLike, *, confidence: ArrayLike | None = None
) -> AbstentionCurve:
    """The curve of the top label's probability, or of another ``confidence (n,)``."""
    p, y = checked(probs, labels)
    sure = p.max(1) if confidence is None else np.asarray(confidence, np.float64)
    if sure.shape != y.shape or not np.isfinite(sure).all():
        raise ValueError(f"a finite confidence (n,) is needed, found shape {sure.shape}")
    order = np.argsort(-sure, kind="stable")
    right = np.cumsum(p.argmax(1)[order] == y[order])
    last = np.append(np.flatnonzero(np.diff(sure[order])), len(y) - 1)  # last of each tie
    count = last + 1
    return AbstentionCurve(
        sure[order][last], count / len(y), right[last] / count, count.astype(np.int64)
    )
