"""Probabilities from logits."""

import numpy as np
import pytest

from avtca.runtime.scores import softmax


def test_softmax_divides_by_the_temperature() -> None:
    logits = np.array([[1.0, 2.0, 4.0], [0.0, 0.0, -1e30]])
    for temperature in (0.5, 1.0, 3.0):
        powers = np.exp((logits - logits.max(1, keepdims=True)) / temperature)
        expected = powers / powers.sum(1, keepdims=True)
        np.testing.assert_allclose(softmax(logits, temperature), expected, rtol=1e-12)


def test_softmax_divides_in_the_precision_of_the_logits() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 7)).astype(np.float32)
    found = softmax(logits, 0.7)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, softmax(logits / np.float32(0.7)))
    assert not np.array_equal(found, softmax(logits.astype(np.float64), 0.7))


def test_softmax_refuses_a_temperature_that_is_not_positive() -> None:
    with pytest.raises(ValueError, match="temperature must be positive, found 0"):
        softmax([1.0, 2.0], 0)
