"""Outputs of networks, in numpy: their check, and probabilities from logits."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avtca.errors import CheckpointError


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


def check_outputs(values: NDArray[Any], shape: tuple[int, ...], model: str) -> NDArray[np.float32]:
    """The outputs of a network, which have this shape and are finite.

    Raises:
        CheckpointError: If they do not.
    """
    problem = ""
    if values.shape != shape:
        problem = f"the network returns {values.shape}, its card promises {shape}"
    elif not np.isfinite(values).all():
        problem = "the network returns values that are not numbers"
    if problem:
        raise CheckpointError(f"run {model}", problem, "export or train the model again")
    return np.asarray(values, np.float32)
