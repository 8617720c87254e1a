"""CMU-MOSEI's sentiment as a value: every metric equals its formula in the literature."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from avtca.evaluation.aggregate import estimate_metrics
from avtca.evaluation.comparison import SystemPredictions, compare_systems
from avtca.evaluation.inference import WindowLogits, average_networks
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.sentiment import sentiment_metrics
from avtca.training.scores import scores


@pytest.fixture
def table():
    """300 samples of 20 videos; a third of the true values is 0, as in CMU-MOSEI a fifth."""
    rng = np.random.default_rng(0)
    t = np.where(rng.random(300) < 0.3, 0, rng.integers(-9, 10, 300) / 3)
    p = 0.6 * t + rng.normal(0.1, 0.8, 300)
    p[:3] = [3.7, -0.0, -3.9]
    videos = [f"v{i % 20}" for i in range(300)]
    names = [f"v{i % 20}[{i}]" for i in range(300)]
    return Predictions(("sentiment",), names, videos, t[:, None], p[:, None], "linear")


def test_metrics_equal_those_of_the_published_evaluations(table):
    """MulT's evaluation (Tsai et al. 2019) and, with zero, MMSA's (Yu et al. 2021)."""
    t, p = table.targets[:, 0], table.probs[:, 0]
    found = sentiment_metrics(table.targets, table.probs, table.speakers)
    rows = t != 0
    expected = {
        "mae": np.mean(np.abs(p - t)),
        "pearson": np.corrcoef(p, t)[0, 1],
        "accuracy7": np.mean(np.round(np.clip(p, -3, 3)) == np.round(np.clip(t, -3, 3))),
        "accuracy2_with_zero": accuracy_score(t >= 0, p >= 0),
        "f1_with_zero": f1_score(t >= 0, p >= 0, average="weighted"),
        "accuracy2": accuracy_score(t[rows] > 0, p[rows] > 0),
        "f1": f1_score(t[rows] > 0, p[rows] > 0, average="weighted"),
    }
    for name, value in expected.items():
        value_found, low, high = getattr(found, name)
        assert value_found == pytest.approx(value, abs=1e-5), name
        assert low < value_found < high, name
    assert found.accuracy2.value != found.accuracy2_with_zero.value


def test_constant_predictions_have_no_correlation(table):
    found = sentiment_metrics(table.targets, np.zeros((300, 1)), table.speakers)
    assert found.pearson == (None, None, None)
    assert found.mae.value == pytest.approx(np.abs(table.targets).mean(), abs=1e-5)
    zeros = sentiment_metrics(np.zeros((4, 1)), np.ones((4, 1)), list("aabb"))
    assert zeros.accuracy2 == (None, None, None) and zeros.accuracy2_with_zero.value == 1


def test_tables_of_metrics_are_those_of_the_seven_classes(table, tmp_path):
    table.save(tmp_path / "test.csv")
    again = Predictions.load(tmp_path / "test.csv")
    assert again.output == "linear" and again.labels == ("sentiment",)
    seven = sentiment_metrics(table.targets, table.probs, table.speakers).accuracy7
    assert estimate_metrics(again).accuracy == seven
    logged = scores(table.probs, table.targets, output="linear")
    assert logged["accuracy"] == pytest.approx(seven.value, abs=1e-5)
    assert logged["loss"] == pytest.approx(np.abs(table.probs - table.targets).mean())
    both = [SystemPredictions(name, {0: [again]}) for name in ("a", "b")]
    report = compare_systems(both)
    assert report.pairs[0].mcnemar is None and report.pairs[0].accuracy.value == 0


def test_windows_and_networks_are_averaged_as_values():
    sample = np.array([0, 0, 1])
    each = [
        WindowLogits(np.array([[1.0], [2], [-3]]), sample, 2, "linear"),
        WindowLogits(np.array([[3.0], [2], [-1]]), sample, 2, "linear"),
    ]
    assert average_networks(each).probabilities(2.0).tolist() == [[2], [-2]]
