"""Probabilities from logits, in numpy."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def softmax(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Softmax of ``logits / temperature`` over the last axis.

    The division keeps the precision of ``logits`` (float32 for a network's output); everything
    after it is computed in float64. Pass float64 logits for float64 throughout.

    Args:
        logits: ``(..., n_labels)``.
        temperature: Divisor of the logits, positive.

    Returns:
        Probabilities of the same shape that sum to one over the last axis.

    Raises:
        ValueError: If ``temperature`` is not positive.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, found {temperature}")
    scaled = np.asarray(logits) / temperature
    powers = np.exp(scaled.astype(np.float64) - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
