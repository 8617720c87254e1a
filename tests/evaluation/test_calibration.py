"""Calibration errors against written-out formulas; a known temperature is found again."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn import metrics as sk

from avtca.evaluation.calibration import (
    adaptive_ece,
    brier,
    ece,
    fit_temperature,
    nll,
    reliability,
    softmax,
)


def drawn(rng: np.random.Generator, n: int = 12_000, k: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels drawn from their own softmax: perfectly calibrated."""
    logits = 2 * rng.standard_normal((n, k))
    p = softmax(logits)
    labels = (p.cumsum(1) < rng.random((n, 1))).sum(1)
    return logits, np.minimum(labels, k - 1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_ece_is_its_definition(rng: np.random.Generator) -> None:
    logits, y = drawn(rng, 700)
    p = softmax(logits, 0.5)
    confidence, right = p.max(1), p.argmax(1) == y
    total = 0.0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert ece(p, y) == pytest.approx(total)


def test_adaptive_ece_is_its_definition(rng: np.random.Generator) -> None:
    logits, y = drawn(rng, 750)
    p = softmax(logits, 0.5)
    order = np.argsort(p.max(1))
    groups = np.split(order, 15)
    gaps = [abs(p[g].max(1).mean() - np.mean(p[g].argmax(1) == y[g])) for g in groups]
    assert adaptive_ece(p, y) == pytest.approx(np.mean(gaps))
    curve = reliability(p[:703], y[:703], adaptive=True)
    assert curve.count.sum() == 703 and np.ptp(curve.count) <= 1
    assert adaptive_ece(p[:4], y[:4]) >= 0  # fewer samples than bins


def test_reliability_curve_sums_up_the_samples(rng: np.random.Generator) -> None:
    logits, y = drawn(rng, 500)
    p = softmax(logits)
    for adaptive in (False, True):
        curve = reliability(p, y, bins=10, adaptive=adaptive)
        full = curve.count > 0
        assert curve.edges[0] == 0 and curve.edges[-1] == 1 and (np.diff(curve.edges) >= 0).all()
        for values, mean in (
            (curve.confidence, p.max(1).mean()),
            (curve.accuracy, np.mean(p.argmax(1) == y)),
        ):
            assert values[full] @ curve.count[full] / 500 == pytest.approx(mean)
        inside = curve.confidence[full]
        assert (inside >= curve.edges[:-1][full] - 1e-12).all()
        assert (inside <= curve.edges[1:][full] + 1e-12).all()


def test_extremes() -> None:
    p = np.eye(3)[[0, 1, 2, 0]]
    assert ece(p, [0, 1, 2, 0]) == 0 and brier(p, [0, 1, 2, 0]) == 0 and nll(p, [0, 1, 2, 0]) == 0
    assert ece(p, [1, 2, 0, 1]) == 1 and brier(p, [1, 2, 0, 1]) == 2
    assert nll(p, [1, 2, 0, 1]) == pytest.approx(-np.log(1e-12))


def test_scores_equal_scikit_learn(rng: np.random.Generator) -> None:
    logits, y = drawn(rng, 400)
    p = softmax(logits)
    assert nll(p, y) == pytest.approx(sk.log_loss(y, p, labels=range(7)))
    one_hot = np.eye(7)[y]
    expected = sum(sk.brier_score_loss(one_hot[:, j], p[:, j]) for j in range(7))
    assert brier(p, y) == pytest.approx(expected)


@pytest.mark.parametrize("true", [0.3, 0.8, 1.0, 1.7, 4.0])
def test_a_known_temperature_is_found_again(true: float, rng: np.random.Generator) -> None:
    logits, y = drawn(rng)
    found = fit_temperature(logits * true, y)
    assert found == pytest.approx(true, rel=0.05)
    assert ece(softmax(logits * true, found), y) < 0.02
    if abs(true - 1) > 0.1:
        assert ece(softmax(logits * true, found), y) < ece(softmax(logits * true), y) / 2


def test_temperature_minimises_the_loss(rng: np.random.Generator) -> None:
    logits, y = drawn(rng, 300)
    logits = logits * 2.5
    best = minimize_scalar(
        lambda t: nll(softmax(logits, t), y),
        bounds=(0.05, 20),
        method="bounded",
        options={"xatol": 1e-8},
    )
    assert fit_temperature(logits, y) == pytest.approx(best.x, rel=1e-4)
    # Log-probabilities are logits.
    again = fit_temperature(np.log(softmax(logits)), y)
    assert again == pytest.approx(fit_temperature(logits, y), rel=1e-9)


def test_weights_count_samples(rng: np.random.Generator) -> None:
    logits, y = drawn(rng, 300)
    times = rng.integers(0, 4, 300)
    repeated = fit_temperature(np.repeat(logits, times, 0), np.repeat(y, times))
    assert fit_temperature(logits, y, weights=times) == pytest.approx(repeated, rel=1e-9)
    for wrong in (-np.ones(300), np.zeros(300), np.ones(299)):
        with pytest.raises(ValueError, match="weights"):
            fit_temperature(logits, y, weights=wrong)


def test_hopeless_and_perfect_data_end_at_the_edges() -> None:
    logits = np.eye(3) * 5
    assert fit_temperature(logits, [0, 1, 2]) == pytest.approx(0.05, rel=1e-6)
    assert fit_temperature(logits, [1, 2, 0]) == pytest.approx(20, rel=1e-6)


def test_scaling_keeps_the_answers(rng: np.random.Generator) -> None:
    logits, _ = drawn(rng, 100)
    for t in (0.2, 1.0, 7.0):
        p = softmax(logits, t)
        np.testing.assert_array_equal(p.argmax(1), logits.argmax(1))
        np.testing.assert_allclose(p.sum(1), 1)
    assert np.isfinite(softmax(logits * 1e6)).all()
    with pytest.raises(ValueError, match="temperature"):
        softmax(logits, 0)


def test_logits_are_not_taken_for_probabilities(rng: np.random.Generator) -> None:
    logits, y = drawn(rng, 50)
    for measure in (ece, adaptive_ece, nll, brier):
        with pytest.raises(ValueError, match="probabilities"):
            measure(logits, y)
