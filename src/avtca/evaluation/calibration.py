"""Calibration errors, reliability curves and temperature scaling.

Probabilities are ``(n, k)`` with rows that sum to 1, labels integers ``(n,)``. "Confidence" is
the highest probability of a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avtca.evaluation.metrics import Float, checked, rounded
from avtca.evaluation.predictions import CalibratedFold, Predictions
from avtca.evaluation.report import CalibrationErrors, CalibrationReport
from avtca.runtime.scores import softmax

BINS = 15
"""Bins of the calibration errors (Guo et al. 2017)."""
TEMPERATURES = (0.05, 20.0)
"""Bounds of a fitted temperature."""
EPS = 1e-12
"""Lower bound applied before taking logarithms."""


@dataclass(frozen=True)
class Reliability:
    """A reliability curve: for each bin that holds samples, confidence against accuracy.

    ``edges (bins + 1,)`` of confidence, ``confidence (bins,)`` and ``accuracy (bins,)`` means
    of the bin (NaN in an empty one), ``count (bins,)`` samples.
    """

    edges: Float
    confidence: Float
    accuracy: Float
    count: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean gap of the bins, weighted by their samples."""
        full = self.count > 0
        gap = np.abs(self.confidence[full] - self.accuracy[full])
        return float(gap @ self.count[full] / self.count.sum())


def reliability(
    probs: ArrayLike, labels: ArrayLike, *, bins: int = BINS, adaptive: bool = False
) -> Reliability:
    """Reliability curve of the top label.

    Bins are of equal width over 0..1, each open below and closed above, or ``adaptive``: of
    equal numbers of samples, to within one, in the order of confidence.
    """
    p, y = _probabilities(probs, labels)
    confidence, correct = p.max(1), (p.argmax(1) == y).astype(np.float64)
    if adaptive:
        order = np.argsort(confidence, kind="stable")
        cuts = np.linspace(0, len(y), min(bins, len(y)) + 1).round().astype(np.int64)
        where = np.empty(len(y), np.int64)
        where[order] = np.searchsorted(cuts, np.arange(len(y)), side="right") - 1
        inner = confidence[order][cuts[1:-1]]
        edges = np.concatenate([[0.0], inner, [1.0]])
    else:
        edges = np.linspace(0, 1, bins + 1)
        where = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    size = len(edges) - 1
    count = np.bincount(where, minlength=size)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(where, x, size) / count for x in (confidence, correct)]
    return Reliability(edges, means[0], means[1], count.astype(np.int64))


def ece(probs: ArrayLike, labels: ArrayLike, *, bins: int = BINS) -> float:
    """Expected calibration error of the top label, bins of equal width (Naeini et al. 2015)."""
    return reliability(probs, labels, bins=bins).error


def adaptive_ece(probs: ArrayLike, labels: ArrayLike, *, bins: int = BINS) -> float:
    """Expected calibration error of the top label, bins of equal numbers of samples."""
    return reliability(probs, labels, bins=bins, adaptive=True).error


def nll(probs: ArrayLike, labels: ArrayLike) -> float:
    """Mean negative log-likelihood of the true labels, in nats, of probabilities >= 1e-12."""
    p, y = _probabilities(probs, labels)
    return float(-np.log(np.maximum(p[np.arange(len(y)), y], EPS)).mean())


def brier(probs: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared distance of the probabilities to the one-hot label: 0 best, 2 worst."""
    p, y = _probabilities(probs, labels)
    return float(np.square(p - np.eye(p.shape[1])[y]).sum(1).mean())


def fit_temperature(
    logits: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None
) -> float:
    """The temperature of maximum likelihood.

    The likelihood is concave in ``1 / T``, so its slope is bisected. The result lies within
    :data:`TEMPERATURES`, at the edge where all predictions are correct or none is better than
    chance.

    Args:
        logits: ``(n, k)`` of speakers that are neither trained on nor tested (Guo et al. 2017);
            log-probabilities will do.
        labels: True labels ``(n,)``.
        weights: Weight of each sample ``(n,)``, such as ``1 / samples of the speaker``.
    """
    z, y = checked(logits, labels)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, np.float64)
    if w.shape != y.shape or (w < 0).any() or not w.sum() > 0:
        raise ValueError("weights (n,) that are not negative and not all zero are needed")
    true = z[np.arange(len(y)), y]

    def slope(sharpness: float) -> float:
        expected = (softmax(z, 1 / sharpness) * z).sum(1)
        return float(w @ (expected - true))

    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return float(1 / np.sqrt(low * high))


def calibration_report(plain: Predictions, folds: Sequence[CalibratedFold]) -> CalibrationReport:
    """Calibration before and after the temperatures of the folds."""
    return CalibrationReport(
        temperature=[round(fold.temperature, 4) for fold in folds],
        before=_calibration_errors(plain),
        after=_calibration_errors(Predictions.joined([fold.test for fold in folds])),
    )


def _calibration_errors(predictions: Predictions) -> CalibrationErrors:
    probs, labels = predictions.probs, predictions.true_labels
    curve = reliability(probs, labels)
    return CalibrationErrors(
        ece=curve.error,
        adaptive_ece=adaptive_ece(probs, labels),
        nll=nll(probs, labels),
        brier=brier(probs, labels),
        confidence=[None if np.isnan(x) else x for x in rounded(curve.confidence)],
        accuracy=[None if np.isnan(x) else x for x in rounded(curve.accuracy)],
        count=curve.count.tolist(),
        edges=rounded(curve.edges),
    )


def _probabilities(probs: ArrayLike, labels: ArrayLike) -> tuple[Float, NDArray[np.int64]]:
    p, y = checked(probs, labels)
    if p.min() < -1e-6 or np.abs(p.sum(1) - 1).max() > 1e-3:
        raise ValueError("probabilities are needed: rows that are not negative and sum to 1")
    return p, y
