"""Conformal sets cover as promised; abstention curves are what they say."""

from typing import Any

import numpy as np
import pytest

from avtca.evaluation.selective import (
    AbstentionCurve,
    abstention_curve,
    fit_conformal,
    set_coverage,
)
from avtca.runtime.scores import softmax

METHODS = ("lac", "aps")


def samples(rng: np.random.Generator, n: int, k: int = 6, sharper: float = 2.0) -> tuple[Any, Any]:
    """Overconfident probabilities and labels."""
    logits = 1.5 * rng.standard_normal((n, k))
    labels = (softmax(logits).cumsum(1) < rng.random((n, 1))).sum(1)
    return softmax(logits * sharper), np.minimum(labels, k - 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
def test_mean_coverage_is_the_one_promised(method: Any, alpha: float) -> None:
    """Over many calibration sets; each is small, so that the finite-sample rank matters."""
    rng = np.random.default_rng(0)
    coverage, naive = [], []
    for _ in range(300):
        p, y = samples(rng, 40 + 500)
        fitted = fit_conformal(p[:40], y[:40], alpha=alpha, method=method)
        coverage.append(set_coverage(fitted.sets(p[40:]), y[40:]))
        naive.append(np.mean(p[40:].argmax(1) == y[40:]))
    assert np.mean(coverage) > 1 - alpha - 0.01
    assert np.mean(naive) < 0.65
    if method == "lac":  # no ties and no top labels added: not above 1 - alpha + 1 / (n + 1)
        assert np.mean(coverage) < 1 - alpha + 1 / 41 + 0.012


@pytest.mark.parametrize("method", METHODS)
def test_threshold_is_the_ranked_score(method: Any) -> None:
    p, y = samples(np.random.default_rng(1), 99)
    fitted = fit_conformal(p, y, alpha=0.1, method=method)
    scores = []
    for row, label in zip(p, y, strict=True):
        scores.append(1 - row[label] if method == "lac" else row[row >= row[label]].sum())
    assert fitted.threshold == pytest.approx(np.sort(scores)[89])  # ceil(100 * 0.9) = 90th
    assert set_coverage(fitted.sets(p), y) >= 0.9


@pytest.mark.parametrize("method", METHODS)
def test_sets_are_never_empty_and_grow_with_the_promise(method: Any) -> None:
    p, y = samples(np.random.default_rng(2), 2000)
    sizes, last = [], np.zeros(p.shape, bool)
    for alpha in (0.6, 0.3, 0.1, 0.02):
        sets = fit_conformal(p[:1000], y[:1000], alpha=alpha, method=method).sets(p)
        assert sets[np.arange(len(p)), p.argmax(1)].all()
        assert (sets | ~last).all()
        last = sets
        sizes.append(sets.sum(1).mean())
        # A set is the most probable labels, without gaps.
        least = np.where(sets, p, 1).min(1)
        assert (p[~sets] <= np.broadcast_to(least[:, None], p.shape)[~sets]).all()
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("method", METHODS)
def test_too_few_samples_give_every_label(method: Any) -> None:
    p, y = samples(np.random.default_rng(3), 8)
    assert fit_conformal(p, y, alpha=0.1, method=method).sets(p).all()
    p[:, 0] = 0
    assert fit_conformal(p, y, alpha=0.1, method=method).sets(p).all()


def test_lac_sets_are_the_smaller_ones() -> None:
    p, y = samples(np.random.default_rng(4), 4000)
    sizes = [
        fit_conformal(p[:2000], y[:2000], method=method).sets(p[2000:]).sum(1).mean()
        for method in ("lac", "aps")
    ]
    assert sizes[0] <= sizes[1]


def test_wrong_input_is_refused() -> None:
    p, y = samples(np.random.default_rng(5), 50)
    for alpha in (0.0, 1.0):
        with pytest.raises(ValueError, match="alpha"):
            fit_conformal(p, y, alpha=alpha)
    with pytest.raises(ValueError, match="method"):
        fit_conformal(p, y, method="raps")  # type: ignore[arg-type]


def test_abstention_curve_is_its_definition() -> None:
    rng = np.random.default_rng(6)
    p, y = samples(rng, 300)
    p = np.round(p, 2)  # ties
    curve = abstention_curve(p, y)
    sure, right = p.max(1), p.argmax(1) == y
    assert (np.diff(curve.threshold) < 0).all()
    np.testing.assert_array_equal(curve.threshold, np.unique(sure)[::-1])
    for t, coverage, accuracy, count in zip(
        curve.threshold, curve.coverage, curve.accuracy, curve.count, strict=True
    ):
        answered = sure >= t
        assert coverage == pytest.approx(answered.mean()) and count == answered.sum()
        assert accuracy == pytest.approx(right[answered].mean())
    assert curve.coverage[-1] == 1 and curve.accuracy[-1] == pytest.approx(right.mean())


def test_area_rewards_knowing_when_one_is_wrong() -> None:
    p, y = samples(np.random.default_rng(7), 2000)
    right = p.argmax(1) == y
    known, blind, backwards = (
        abstention_curve(p, y, confidence=c).area
        for c in (right.astype(float), np.zeros(2000), 1.0 - right)
    )
    assert known < abstention_curve(p, y).area < blind < backwards
    assert blind == pytest.approx(1 - right.mean())


def test_area_is_the_mean_risk_over_the_samples_answered() -> None:
    """Each sample is answered together with all that are as sure as it or surer."""
    p, y = samples(np.random.default_rng(11), 200)
    p = np.round(p, 2)  # ties
    sure, wrong = p.max(1), p.argmax(1) != y
    risks = [wrong[sure >= one].mean() for one in sure]
    assert len(np.unique(sure)) < len(sure)
    assert abstention_curve(p, y).area == pytest.approx(np.mean(risks))


@pytest.mark.parametrize("wanted", [0.7, 0.8, 0.9])
def test_threshold_for_an_accuracy_answers_most(wanted: float) -> None:
    p, y = samples(np.random.default_rng(8), 3000)
    threshold = abstention_curve(p, y).threshold_for(wanted, z=0)
    assert threshold is not None
    sure, right = p.max(1), p.argmax(1) == y
    assert right[sure >= threshold].mean() >= wanted
    lower = [t for t in np.unique(sure) if t < threshold]
    assert all(right[sure >= t].mean() < wanted for t in lower)


def test_caution_makes_the_accuracy_hold_on_other_samples() -> None:
    rng = np.random.default_rng(9)
    fresh, labels = samples(rng, 20_000)
    sure, right = fresh.max(1), fresh.argmax(1) == labels
    held: dict[float, list[bool]] = {0.0: [], 1.0: [], 2.0: []}
    for _ in range(100):
        curve = abstention_curve(*samples(rng, 400))
        for caution, holds in held.items():
            threshold = curve.threshold_for(0.8, z=caution)
            holds.append(threshold is None or bool(right[sure >= threshold].mean() >= 0.8))
    shares = [np.mean(holds) for holds in held.values()]
    assert shares == sorted(shares)
    assert shares[0] < 0.6 and shares[1] > 0.7 and shares[2] > 0.88


def test_the_lower_bound_is_wilsons() -> None:
    from scipy.stats import binomtest

    curve = AbstentionCurve(
        np.array([0.9, 0.5]), np.array([0.5, 1.0]), np.array([0.9, 0.8]), np.array([50, 100])
    )
    bound = binomtest(45, 50).proportion_ci(0.95, method="wilson").low
    z = 1.959963984540054
    assert curve.threshold_for(bound - 1e-9, z=z) == 0.9
    assert curve.threshold_for(bound + 1e-9, z=z) is None


def test_threshold_needs_enough_answers_and_may_not_exist() -> None:
    p = softmax(np.random.default_rng(10).standard_normal((200, 4)))
    labels = (p.argmax(1) + 1) % 4
    best = np.argsort(-p.max(1))[:5]
    labels[best] = p.argmax(1)[best]  # only the five surest are right
    curve = abstention_curve(p, labels)
    assert curve.threshold_for(0.99, min_count=5, z=0) == pytest.approx(p.max(1)[best[4]])
    assert curve.threshold_for(0.99, z=0) is None
    assert curve.threshold_for(0.99, min_count=5) is None
    with pytest.raises(ValueError, match="confidence"):
        abstention_curve(p, labels, confidence=np.full(200, np.nan))
