"""Validation figures by the names that a recipe can choose its best epoch by."""

import numpy as np
from numpy.typing import NDArray

from avtca.evaluation.aggregate import BINARY_METRICS
from avtca.evaluation.metrics import METRICS, binary_confusions, confusion

TINY = 1e-7
"""Least probability whose logarithm is taken."""


def scores(
    probabilities: NDArray[np.float64], targets: NDArray[np.float32], *, binary: bool = False
) -> dict[str, float]:
    """``accuracy``, ``uar``, ``weighted_f1``, ``macro_f1`` and ``loss`` of samples.

    ``probabilities`` and ``targets`` ``(n, n_labels)``. With one label a sample the strongest of
    each counts; with several (``binary``) a label holds above 0.5. ``loss`` is the mean
    cross-entropy.
    """
    p = np.clip(probabilities, TINY, 1 - TINY)
    t = targets.astype(np.float64)
    if binary:
        loss = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
        matrices = binary_confusions(t > 0.5, p >= 0.5)
        found = {name: float(metric(matrices)) for name, metric in BINARY_METRICS.items()}
    else:
        loss = -(t * np.log(p)).sum(1).mean()
        matrix = confusion(t.argmax(1), p.argmax(1), t.shape[1])
        found = {name: float(metric(matrix)) for name, metric in METRICS.items()}
    return {**found, "loss": float(loss)}
