"""Bootstrap over speakers: equal to the slow way, covering, paired; McNemar exact."""

import csv
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from avtca.evaluation import metrics as m
from avtca.evaluation.bootstrap import (
    bootstrap,
    holm,
    intervals,
    mcnemar,
    paired_difference,
)


def people(
    rng: np.random.Generator, s: int = 24, samples: int = 40, skill: float = 0.6, k: int = 4
) -> tuple[np.ndarray, ...]:
    """Scores, labels and speakers; speakers differ in how well they are recognised."""
    speakers = np.repeat(np.arange(s), samples)
    y = rng.integers(0, k, s * samples)
    right = rng.random(s * samples) < rng.beta(8 * skill, 8 * (1 - skill), s)[speakers]
    named = np.where(right, y, (y + rng.integers(1, k, len(y))) % k)
    return np.eye(k)[named], y, speakers


def test_matrices_are_those_of_each_speaker() -> None:
    p, y, who = people(np.random.default_rng(0), samples=15)
    names = np.array([f"Actor_{j:02d}" for j in range(24)])[who]
    matrices = m.speaker_confusions(p, y, names)
    assert matrices.shape == (24, 4, 4)
    for j in range(24):
        mine = who == j
        expected = sk.confusion_matrix(y[mine], p[mine].argmax(1), labels=range(4))
        np.testing.assert_array_equal(matrices[j], expected)


@pytest.mark.parametrize("name", m.METRICS)
def test_equals_a_bootstrap_that_copies_the_samples(name: str) -> None:
    p, y, who = people(np.random.default_rng(1), s=8, samples=12)
    got = bootstrap(m.speaker_confusions(p, y, who), m.METRICS[name], resamples=200, seed=3)
    draws = np.random.default_rng(3).multinomial(8, np.full(8, 1 / 8), size=200)
    values = []
    for draw in draws:
        rows = np.concatenate([np.flatnonzero(who == j) for j in np.repeat(np.arange(8), draw)])
        values.append(float(m.METRICS[name](m.confusion(y[rows], p[rows].argmax(1), 4))))
    low, high = np.percentile(values, [2.5, 97.5])
    assert (got.low, got.high) == pytest.approx((low, high))
    assert got.value == pytest.approx(float(m.METRICS[name](m.confusion(y, p.argmax(1), 4))))


def test_it_covers_the_truth_where_an_interval_over_samples_does_not() -> None:
    rng = np.random.default_rng(2)
    trials, covered, naive = 300, 0, 0
    for trial in range(trials):
        p, y, who = people(rng)
        found = bootstrap(m.speaker_confusions(p, y, who), m.accuracy, resamples=500, seed=trial)
        covered += found.low <= 0.6 <= found.high
        alone = 1.96 * np.sqrt(found.value * (1 - found.value) / len(y))
        naive += abs(found.value - 0.6) <= alone
    assert 0.89 <= covered / trials <= 0.98
    assert naive / trials < 0.8


def test_seeds_and_order() -> None:
    p, y, who = people(np.random.default_rng(3))
    one, two, other = (intervals(p, y, who, seed=s) for s in (0, 0, 1))
    assert one == two and one != other
    order = np.random.default_rng(0).permutation(len(y))
    assert intervals(p[order], y[order], who[order]) == one
    assert one["uar"].to_list() == [one["uar"].value, one["uar"].low, one["uar"].high]


def test_one_speaker_has_no_interval_and_wrong_input_is_refused() -> None:
    p, y, _ = people(np.random.default_rng(4), s=1)
    alone = intervals(p, y, np.zeros(len(y)))["accuracy"]
    assert np.isfinite(alone.value) and np.isnan(alone.low) and np.isnan(alone.high)
    with pytest.raises(ValueError, match="speakers"):
        intervals(p, y, [1, 2, 3])


def test_several_labels() -> None:
    rng = np.random.default_rng(5)
    truth = rng.random((600, 6)) < 0.3
    named = truth ^ (rng.random((600, 6)) < 0.2)
    who = rng.integers(0, 20, 600)
    matrices = m.speaker_binary_confusions(named, truth, who)
    np.testing.assert_array_equal(matrices.sum(0), m.binary_confusions(truth, named))
    found = bootstrap(matrices, lambda c: m.weighted_accuracy(c).mean(-1), resamples=500)
    expected = np.mean([sk.balanced_accuracy_score(truth[:, j], named[:, j]) for j in range(6)])
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high


def test_two_thousand_resamples_of_ravdess_are_quick() -> None:
    p, y, who = people(np.random.default_rng(6), s=24, samples=60, k=8)
    start = time.process_time()
    intervals(p, y, who)
    assert time.process_time() - start < 2  # four metrics; processor time, about 0.2 s


def test_paired_difference_lets_hard_speakers_cancel() -> None:
    rng = np.random.default_rng(7)
    p, y, who = people(rng)
    worse = p.copy()
    spoilt = rng.random(len(y)) < 0.08
    worse[spoilt] = np.eye(4)[(y[spoilt] + 1) % 4]
    a, b = m.speaker_confusions(p, y, who), m.speaker_confusions(worse, y, who)
    found = paired_difference(a, b, m.accuracy)
    assert found.value == pytest.approx(np.mean(p.argmax(1) == y) - np.mean(worse.argmax(1) == y))
    assert 0 < found.low < found.value < found.high and found.p < 0.01
    single = bootstrap(a, m.accuracy)
    assert found.high - found.low < (single.high - single.low) / 2
    back = paired_difference(b, a, m.accuracy)
    assert (back.value, back.low, back.high) == pytest.approx(
        (-found.value, -found.high, -found.low)
    )
    same = paired_difference(a, a, m.accuracy)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_paired_p_is_uniform_enough_under_the_null() -> None:
    rng = np.random.default_rng(8)
    p_values = []
    for trial in range(200):
        p, y, who = people(rng, samples=20)
        flips = rng.random((2, len(y))) < 0.2
        systems = [np.where(f[:, None], np.eye(4)[(y + 1) % 4], p) for f in flips]
        a, b = (m.speaker_confusions(scores, y, who) for scores in systems)
        p_values.append(paired_difference(a, b, m.accuracy, resamples=400, seed=trial).p)
    assert np.mean(np.array(p_values) < 0.05) < 0.11
    assert 0.35 < np.median(p_values) < 0.65


def test_holm_multiplies_by_the_number_of_p_values_left() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1, 1] and holm([]) == []


def test_systems_on_other_samples_are_refused() -> None:
    p, y, who = people(np.random.default_rng(9))
    a = m.speaker_confusions(p, y, who)
    for other in (m.speaker_confusions(p[:-1], y[:-1], who[:-1]), a[:-1]):
        with pytest.raises(ValueError, match="same samples"):
            paired_difference(a, other, m.accuracy)


@pytest.mark.parametrize("both", [(0, 0), (3, 3), (1, 9), (20, 44), (300, 360), (0, 2000)])
def test_mcnemar_is_the_exact_binomial_test(both: tuple[int, int]) -> None:
    first, second = both
    a = np.repeat([True, False, True, False], [first, second, 50, 30])
    b = np.repeat([False, True, True, False], [first, second, 50, 30])
    n = first + second
    expected = stats.binomtest(first, n, 0.5).pvalue if n else 1.0
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(b, a) == mcnemar(a, b)
    with pytest.raises(ValueError, match="two arrays"):
        mcnemar(a, b[:-1])


def test_published_systems_on_ravdess(corpora: Path) -> None:
    """The accuracies in the corpora's README, from the posteriors, and their paired difference."""
    rows: dict[str, list[list[str]]] = {}
    with (corpora / "ravdess" / "published_posteriors.csv").open() as lines:
        for system, *row in list(csv.reader(lines))[1:]:
            rows.setdefault(system, []).append(row)
    matrices, right = {}, {}
    for system, stated in (("wav2vec2", 81.94), ("action_units_mlp", 60.42), ("fusion", 86.74)):
        table = sorted(rows[system])
        assert len(table) == 1440
        codes = [row[0].split("-") for row in table]
        labels = np.array([int(code[2]) - 1 for code in codes])
        probs = np.array([row[1:] for row in table], float)
        matrices[system] = m.speaker_confusions(probs, labels, [code[-1] for code in codes])
        right[system] = probs.argmax(1) == labels
        found = bootstrap(matrices[system], m.accuracy)
        assert 100 * found.value == pytest.approx(stated, abs=0.005)
        assert found.low < found.value < found.high and found.high - found.low < 0.15
    gain = paired_difference(matrices["fusion"], matrices["wav2vec2"], m.accuracy)
    assert gain.low > 0 and gain.p < 0.01
    assert mcnemar(right["fusion"], right["wav2vec2"]) < 1e-6
