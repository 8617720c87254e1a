"""Every metric equals scikit-learn's, or a formula written here."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from avtca.evaluation import metrics as m


def made(seed: int, n: int = 300, k: int = 6, missing: bool = False) -> tuple[np.ndarray, ...]:
    """Uneven classes, named rightly about half of the time; ``missing``: classes that never are."""
    rng = np.random.default_rng(seed)
    y = rng.choice(k, n, p=rng.dirichlet(np.ones(k)))
    p = rng.dirichlet(np.ones(k), n)
    p[np.arange(n), y] += 0.3
    if missing:
        y[y == 2] = 0  # never true
        p[:, 3] = 0  # never named
        y[y == 4], p[:, 4] = 0, 0  # neither
    return p / p.sum(1, keepdims=True), y


CASES = [(seed, missing) for seed in range(4) for missing in (False, True)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed, missing", CASES)
def test_equal_scikit_learn(seed: int, missing: bool) -> None:
    p, y = made(seed, missing=missing)
    named = p.argmax(1)
    c = m.confusion(y, named, 6)
    np.testing.assert_array_equal(c, sk.confusion_matrix(y, named, labels=range(6)))
    assert m.accuracy(c) == pytest.approx(sk.accuracy_score(y, named))
    assert m.balanced_accuracy(c) == pytest.approx(sk.balanced_accuracy_score(y, named))
    occurring = sk.f1_score(y, named, average="macro", labels=np.unique(y))
    assert m.macro_f1(c) == pytest.approx(occurring)
    assert m.weighted_f1(c) == pytest.approx(sk.f1_score(y, named, average="weighted"))
    theirs = sk.precision_recall_fscore_support(y, named, labels=range(6), zero_division=0)
    ours = m.per_class(c)
    for name, values in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
        np.testing.assert_allclose(ours[name], values, err_msg=name)


def test_stacks_are_read_matrix_by_matrix() -> None:
    stack = np.random.default_rng(0).integers(0, 20, (3, 5, 6, 6))
    stack[0, 0] = 0
    for metric in m.METRICS.values():
        values = metric(stack)
        assert values.shape == (3, 5) and values[0, 0] == 0
        for i, j in np.ndindex(3, 5):
            assert values[i, j] == pytest.approx(float(metric(stack[i, j])))


def test_fitted_thresholds_have_the_best_weighted_accuracy() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((200, 3)) < [0.1, 0.5, 0.0]
    probs = (rng.random((200, 3)) * 0.4 + 0.2 * truth).round(2)
    found = m.fit_thresholds(probs, truth)
    for label in range(2):
        tried = [
            m.weighted_accuracy(m.confusion(truth[:, label], probs[:, label] >= at, 2))
            for at in np.linspace(0, 1, 1001)
        ]
        of_found = m.confusion(truth[:, label], probs[:, label] >= found[label], 2)
        assert m.weighted_accuracy(of_found) == pytest.approx(max(tried))
        assert found[label] < 0.5
    assert found[2] == 0.5  # never present: nothing to fit
    separable = m.fit_thresholds([[0.2], [0.3], [0.8], [0.9]], [[0], [0], [1], [1]])
    assert separable == [0.5]


def test_figures_of_each_class_equal_scikit_learn() -> None:
    p, y = made(9)
    names = ["a", "b", "c", "d", "e", "f"]
    matrix = m.confusion(y, p.argmax(1), 6)
    assert matrix.sum() == 300
    found = m.per_class(matrix)
    report = sk.classification_report(y, p.argmax(1), target_names=names, output_dict=True)
    for j, name in enumerate(names):
        for ours, theirs in (("f1", "f1-score"), ("recall", "recall"), ("support", "support")):
            assert found[ours][j] == pytest.approx(report[name][theirs])


def several(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 6)) < np.array([0.5, 0.3, 0.2, 0.05, 0.1, 0.02])
    return np.clip(truth * 0.3 + rng.random((n, 6)) * 0.7, 0, 1), truth


@pytest.mark.parametrize("seed", range(3))
def test_several_labels_equal_scikit_learn(seed: int) -> None:
    p, truth = several(seed)
    names = list("abcdef")
    out = m.multilabel_summary(p, truth, names)
    named = p >= 0.5
    for j, name in enumerate(names):
        row, t, a = out.per_class[name], truth[:, j], named[:, j]
        positives, negatives, n = t.sum(), (~t).sum(), len(t)
        both, neither = (t & a).sum(), (~t & ~a).sum()
        formula = (both * negatives / positives + neither) / (2 * negatives)
        assert row.weighted_accuracy == pytest.approx(formula)
        assert row.weighted_accuracy == pytest.approx(sk.balanced_accuracy_score(t, a))
        assert row.f1 == pytest.approx(sk.f1_score(t, a))
        assert row.weighted_f1 == pytest.approx(sk.f1_score(t, a, average="weighted"))
        assert row.support == positives and n == out.n
    for key in ("weighted_accuracy", "f1", "weighted_f1"):
        mean = np.mean([getattr(row, key) for row in out.per_class.values()])
        assert getattr(out, key) == pytest.approx(mean)
    np.testing.assert_array_equal(
        m.binary_confusions(truth, named), sk.multilabel_confusion_matrix(truth, named)
    )


def test_an_emotion_that_never_holds_has_no_weighted_accuracy() -> None:
    p, truth = several(5)
    truth[:, 3] = False
    out = m.multilabel_summary(p, truth, list("abcdef"))
    assert out.per_class["d"].weighted_accuracy is None
    known = [r.weighted_accuracy for name, r in out.per_class.items() if name != "d"]
    assert out.weighted_accuracy == pytest.approx(np.mean(known))


@pytest.mark.parametrize(
    "probs, labels, words",
    [
        (np.ones((3, 2)), [0, 1], "needed"),
        (np.ones(3), [0, 1, 0], "needed"),
        (np.ones((0, 2)), np.zeros(0, int), "no samples"),
        (np.full((2, 2), np.nan), [0, 1], "finite"),
        (np.ones((2, 2)), [0, 2], "integers"),
        (np.ones((2, 2)), [0, -1], "integers"),
        (np.ones((2, 2)), [0.0, 1.0], "integers"),
    ],
)
def test_wrong_input_is_refused(probs: np.ndarray, labels: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        m.checked(probs, labels)


def test_names_must_fit() -> None:
    with pytest.raises(ValueError, match="names"):
        m.multilabel_summary(np.ones((2, 2)), np.ones((2, 2), bool), ["a"])
    with pytest.raises(ValueError, match="truth"):
        m.multilabel_summary(np.ones((2, 2)), np.ones((2, 3), bool), ["a"])


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p, y = made(0, missing=True)
        m.per_class(m.confusion(y, p.argmax(1), 6))
        m.multilabel_summary(p, np.zeros(p.shape, bool), list("abcdef"))
