"""Validation metrics, by the names that ``train.metric`` accepts."""

import numpy as np
from numpy.typing import NDArray

from avtca.evaluation.aggregate import BINARY_METRICS
from avtca.evaluation.metrics import METRICS, binary_confusions, confusion

MIN_PROB = 1e-7
"""Lower bound applied before taking logarithms."""


def scores(
    probabilities: NDArray[np.float64], targets: NDArray[np.float32], *, binary: bool = False
) -> dict[str, float]:
    """Metrics of predicted probabilities.

    Args:
        probabilities: ``(n, n_labels)``.
        targets: ``(n, n_labels)``.
        binary: Several labels may apply; each is predicted from 0.5 up. Otherwise the label with
            the highest probability is predicted.

    Returns:
        ``accuracy``, ``uar``, ``weighted_f1``, ``macro_f1``, and ``loss``, the mean cross-entropy.
    """
    p = np.clip(probabilities, MIN_PROB, 1 - MIN_PROB)
    t = targets.astype(np.float64)
    if binary:
        loss = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
        matrices = binary_confusions(t > 0.5, p >= 0.5)
        found: dict[str, float] = {
            name: float(metric(matrices)) for name, metric in BINARY_METRICS.items()
        }
    else:
        loss = -(t * np.log(p)).sum(1).mean()
        matrix = confusion(t.argmax(1), p.argmax(1), t.shape[1])
        found = {name: float(metric(matrix)) for name, metric in METRICS.items()}
    return {**found, "loss": float(loss)}
