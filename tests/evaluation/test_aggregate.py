from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from avtca.errors import ConfigError
from avtca.evaluation.aggregate import BINARY_METRICS, metric_difference, summarise
from avtca.evaluation.predictions import Predictions


def predictions(n=120, *, seed=0, skill=1.5, people=8, binary=False):
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(99).integers(0, 4, n)
    if binary:
        targets = (np.random.default_rng(98).random((n, 4)) < 0.4).astype(float)
        probs = 1 / (1 + np.exp(-(rng.standard_normal((n, 4)) + skill * (targets - 0.5))))
    else:
        targets = np.eye(4)[truth]
        z = rng.standard_normal((n, 4)) + skill * targets
        probs = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    samples = [f"t{i:03d}" for i in range(n)]
    speakers = [f"s{i % people}" for i in range(n)]
    return Predictions(
        ("a", "b", "c", "d"), samples, speakers, targets, probs, "sigmoid" if binary else "softmax"
    )


def folds(table, k=4):
    return [table.at(np.arange(len(table)) % k == i) for i in range(k)]


def test_figures_are_scikit_learns_and_means_over_seeds():
    tables = [predictions(seed=s) for s in range(3)]
    found = summarise({s: folds(t) for s, t in enumerate(tables)})
    wanted = {
        "accuracy": [t.correct.mean() for t in tables],
        "uar": [balanced_accuracy_score(t.true_labels, t.probs.argmax(1)) for t in tables],
        "weighted_f1": [
            f1_score(t.true_labels, t.probs.argmax(1), average="weighted") for t in tables
        ],
        "macro_f1": [f1_score(t.true_labels, t.probs.argmax(1), average="macro") for t in tables],
    }
    for name, values in wanted.items():
        value, low, high = found[name]
        assert value == pytest.approx(np.mean(values), abs=1e-4)
        assert low < value < high
        assert [one[name] for one in found.seeds.values()] == pytest.approx(values, abs=1e-4)
    per_fold = [
        np.mean([f.correct.mean() for f in fold]) for fold in zip(*map(folds, tables), strict=True)
    ]
    assert found.folds["accuracy"] == pytest.approx(per_fold, abs=1e-4)
    assert found.spread["accuracy"] == pytest.approx(np.std(per_fold, ddof=1), abs=1e-4)


def test_the_interval_is_over_people_not_over_samples():
    """Takes of a person that are all right or all wrong: the interval must be wide."""
    table = predictions(400, people=8)
    right = np.array([int(s[1:]) < 5 for s in table.speakers])
    probs = np.where(right[:, None], table.targets, np.roll(table.targets, 1, axis=1))
    alike = Predictions(
        table.labels, table.samples, table.speakers, table.targets, probs.astype(float)
    )
    value, low, high = summarise({0: [alike]})["accuracy"]
    assert value == pytest.approx(5 / 8)
    assert high - low >= 0.5


def test_several_labels_at_once():
    table = predictions(binary=True)
    found = summarise({0: folds(table)})
    said, truth = table.probs >= 0.5, table.targets > 0.5
    assert found.accuracy[0] == pytest.approx((said == truth).mean(), abs=1e-4)
    wanted = np.mean([balanced_accuracy_score(truth[:, j], said[:, j]) for j in range(4)])
    assert found.uar[0] == pytest.approx(wanted, abs=1e-4)
    wanted = f1_score(truth, said, average="macro")
    assert found.macro_f1[0] == pytest.approx(wanted, abs=1e-4)
    assert set(BINARY_METRICS) == {"accuracy", "uar", "weighted_f1", "macro_f1"}


def test_a_difference_is_that_of_the_common_seeds():
    """Seed 2 of the first system is 40 points better than the others, and has no counterpart."""
    good = {s: predictions(seed=s, skill=3) for s in (0, 1)}
    good[2] = replace(good[0], probs=good[0].targets)
    bad = {s: predictions(seed=s) for s in (0, 1)}
    found = metric_difference(good, bad)
    wanted = np.mean([good[s].correct.mean() - bad[s].correct.mean() for s in (0, 1)])
    assert found.value == pytest.approx(wanted)
    assert 0 < found.low < found.value < found.high and found.p < 0.01
    same = metric_difference(good, good)
    assert same.value == same.low == same.high == 0 and same.p == 1
    one = metric_difference({None: bad[0]}, good)  # a system without seeds: all of the other's
    wanted = bad[0].correct.mean() - np.mean([table.correct.mean() for table in good.values()])
    assert one.value == pytest.approx(wanted, abs=1e-4)
    with pytest.raises(ValueError, match="no seed in common"):
        metric_difference({2: good[2]}, bad)


def test_the_interval_of_a_difference_has_the_variance_of_seeds():
    """All speakers agree; the seeds differ by 0, 10 and 20 points, and the interval is theirs."""
    base = predictions(n=240, people=8)
    right = replace(base, probs=base.targets)

    def wrong(share):
        rows = np.arange(240) // 8 % 10 < 10 * share  # the same share of each speaker
        rolled = np.roll(base.targets, 1, axis=1)
        return replace(base, probs=np.where(rows[:, None], rolled, base.targets))

    seeds = {0: wrong(0.0), 1: wrong(0.1), 2: wrong(0.2)}
    found = metric_difference(dict.fromkeys(seeds, right), seeds)
    assert found.value == pytest.approx(0.1)
    # In one of 27 resamples all three draws are of the best seed, in one of the worst.
    assert [found.low, found.high] == pytest.approx([0, 0.2])
    alone = metric_difference({0: right}, {0: wrong(0.1)})
    assert (alone.low, alone.high) == pytest.approx((0.1, 0.1))


def test_rows_may_come_in_any_order():
    table = predictions()
    shuffled = table.at(np.random.default_rng(0).permutation(len(table)))
    assert metric_difference({0: table}, {0: shuffled}).value == 0
    assert shuffled.ordered().samples == table.samples


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
@pytest.mark.parametrize("binary", [False, True])
def test_tables_survive_a_file(tmp_path, binary, name):
    table = predictions(binary=binary)
    table.save(tmp_path / name)
    back = Predictions.load(tmp_path / name)
    assert (back.labels, back.samples, back.speakers, back.binary) == (
        table.labels,
        table.samples,
        table.speakers,
        binary,
    )
    np.testing.assert_allclose(back.probs, table.probs, rtol=1e-5)
    np.testing.assert_allclose(back.targets, table.targets)


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "take,speaker,true:a,p:a\n", "take,speaker,true:a,p:b\nx,y,1,1\n"]
)
def test_files_that_are_no_predictions(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match="read predictions"):
        Predictions.load(path)


def test_labels_must_agree_to_be_joined():
    a = predictions()
    b = Predictions(("w", "x", "y", "z"), a.samples, a.speakers, a.targets, a.probs)
    with pytest.raises(ConfigError, match=r"a, b, c, d meet w, x, y, z"):
        Predictions.joined([a, b])
