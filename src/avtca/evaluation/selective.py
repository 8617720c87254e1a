"""Selective prediction: conformal prediction sets and abstention.

Probabilities are ``(n, k)``, labels integers ``(n,)``. The coverage of conformal sets is guaranteed
for samples that are exchangeable with the calibration samples. Samples of other speakers are so
only approximately: measure the coverage on unseen speakers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avtca.evaluation.metrics import Float, checked, rounded
from avtca.evaluation.predictions import CalibratedFold, Predictions
from avtca.evaluation.report import AbstentionReport, AbstentionThreshold, PredictionSets

Method = Literal["lac", "aps"]
METHODS: tuple[Method, ...] = ("lac", "aps")
ALPHAS = (0.05, 0.1, 0.2)
"""Promised error rates of the conformal sets."""
WANTED_ACCURACIES = (0.8, 0.9, 0.95)
CURVE_POINTS = 100
SLACK = 1e-9
"""Tolerance for rounding where scores are compared with the threshold."""


@dataclass(frozen=True)
class ConformalSets:
    """Prediction sets that hold the true label in at least ``1 - alpha`` of the samples.

    ``threshold`` is the calibrated quantile of the scores of the true labels; it is 1 where the
    calibration samples are too few, and every label is then in the set.
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

    "lac" includes labels with enough probability: the smallest sets on average (Sadinle et al.
    2019). "aps" includes labels in descending order until enough probability is accumulated: larger
    sets, with a more even coverage of easy and hard samples (Romano et al. 2020, not randomised).
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
    """Nonconformity scores of all labels, ``(n, k)`` in 0..1."""
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
    """Accuracy over coverage where predictions below a confidence threshold are withheld.

    One entry for each distinct confidence, in descending order: ``threshold (m,)``, ``coverage
    (m,)``, and ``accuracy (m,)`` and ``count (m,)`` of the samples that are answered.
    """

    threshold: Float
    coverage: Float
    accuracy: Float
    count: NDArray[np.int64]

    @property
    def area(self) -> float:
        """Area under the risk-coverage curve (AURC): mean risk over the coverages, 0 is best."""
        return float(np.sum((1 - self.accuracy) * np.diff(self.coverage, prepend=0)))

    def threshold_for(
        self, accuracy: float, *, min_count: int = 20, z: float = 1.0
    ) -> float | None:
        """The threshold with the largest coverage that reaches an accuracy.

        The best of many thresholds looks better than it is. Therefore the lower bound of Wilson's
        score interval must reach the accuracy. Choose thresholds on speakers that are not tested.

        Args:
            accuracy: The wanted accuracy.
            min_count: Samples that must be answered.
            z: Standard errors of the lower bound; 0 compares the accuracy itself.

        Returns:
            The threshold, or ``None`` where none qualifies.
        """
        bound = _wilson_lower(self.accuracy, self.count, z)
        good = np.flatnonzero((bound >= accuracy) & (self.count >= min_count))
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
    confidences = p.max(1) if confidence is None else np.asarray(confidence, np.float64)
    if confidences.shape != y.shape or not np.isfinite(confidences).all():
        raise ValueError(f"a finite confidence (n,) is needed, found shape {confidences.shape}")
    order = np.argsort(-confidences, kind="stable")
    correct = np.cumsum(p.argmax(1)[order] == y[order])
    last = np.append(np.flatnonzero(np.diff(confidences[order])), len(y) - 1)  # last of each tie
    count = last + 1
    return AbstentionCurve(
        confidences[order][last], count / len(y), correct[last] / count, count.astype(np.int64)
    )


def prediction_sets(folds: Sequence[CalibratedFold]) -> list[PredictionSets]:
    """Coverage and size of conformal sets, fitted for each fold on other speakers."""
    out = []
    labels = np.concatenate([fold.test.true_labels for fold in folds])
    for method in METHODS:
        for alpha in ALPHAS:
            parts = []
            for fold in folds:
                seen = fold.seen
                fitted = fit_conformal(seen.probs, seen.true_labels, alpha=alpha, method=method)
                parts.append(fitted.sets(fold.test.probs))
            sets = np.concatenate(parts)
            sizes = sets.sum(1)
            out.append(
                PredictionSets(
                    method=method,
                    promised=1 - alpha,
                    covered=set_coverage(sets, labels),
                    mean_size=float(sizes.mean()),
                    single=float((sizes == 1).mean()),
                )
            )
    return out


def abstention_report(folds: Sequence[CalibratedFold]) -> AbstentionReport:
    """Accuracy over coverage, and thresholds for wanted accuracies.

    Each fold has its own threshold, fitted on other speakers; a fold without a threshold that
    reaches the wanted accuracy answers nothing.
    """
    test = Predictions.joined([fold.test for fold in folds])
    curve = abstention_curve(test.probs, test.true_labels)
    fitted = [abstention_curve(fold.seen.probs, fold.seen.true_labels) for fold in folds]
    thresholds = []
    for wanted in WANTED_ACCURACIES:
        at = [one.threshold_for(wanted) for one in fitted]
        answered = np.concatenate(
            [
                fold.test.probs.max(1) >= (np.inf if threshold is None else threshold)
                for threshold, fold in zip(at, folds, strict=True)
            ]
        )
        thresholds.append(
            AbstentionThreshold(
                wanted=wanted,
                threshold=at,
                answered=float(answered.mean()),
                accuracy=float(test.correct[answered].mean()) if answered.any() else None,
            )
        )
    points = np.linspace(0, len(curve.coverage) - 1, CURVE_POINTS)
    picked = np.unique(points.round().astype(int))
    return AbstentionReport(
        aurc=curve.area,
        coverage=rounded(curve.coverage[picked]),
        accuracy=rounded(curve.accuracy[picked]),
        thresholds=thresholds,
    )
