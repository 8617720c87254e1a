"""Cohen's kappa as a function of confusion matrices."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]
Counts = NDArray[np.generic]


def kappa(matrix: Counts, weights: ArrayLike | None = None) -> Float:
    """Cohen's kappa (1960); NaN where both sides use the same single label.

    Args:
        matrix: ``(..., k, k)``.
        weights: Disagreement ``(k, k)`` of each two labels (Cohen 1968); by default 0 for the same
            and 1 for different labels.
    """
    c = np.asarray(matrix, np.float64)
    w = 1 - np.eye(c.shape[-1]) if weights is None else np.asarray(weights, np.float64)
    by_chance = c.sum(-1)[..., :, None] * c.sum(-2)[..., None, :]
    observed, expected = (w * c).sum((-2, -1)) * c.sum((-2, -1)), (w * by_chance).sum((-2, -1))
    ratio = np.full(c.shape[:-2], np.nan)
    return np.asarray(1 - np.divide(observed, expected, out=ratio, where=expected > 0))


def one_against_rest(matrix: Counts, label: int) -> Counts:
    """``(..., 2, 2)`` of one class against all others, from ``(..., k, k)``."""
    c = np.asarray(matrix)
    both, true, predicted = c[..., label, label], c[..., label, :].sum(-1), c[..., label].sum(-1)
    neither = c.sum((-2, -1)) - true - predicted + both
    return np.stack([neither, predicted - both, true - both, both], -1).reshape(*both.shape, 2, 2)
