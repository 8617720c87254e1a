"""The figure of a comparison draws the numbers of its report."""

import numpy as np
import pytest

from avtca.evaluation.comparison import SystemPredictions, compare_systems
from avtca.evaluation.predictions import Predictions
from avtca.plots.comparison_figure import comparison_figure
from avtca.plots.drawing import figure_bytes


@pytest.fixture(scope="module")
def report():
    rng, truth = np.random.default_rng(0), np.eye(2)[np.arange(48) % 2]
    names, speakers = [f"t{i}" for i in range(48)], [f"s{i % 6}" for i in range(48)]
    systems = []
    for name, skill in (("base", 0.4), ("good", 0.9), ("a_very_long_name" * 4, 0.1)):
        probs = truth * skill + rng.random((48, 2))
        table = Predictions(("a", "b"), names, speakers, truth, probs)
        systems.append(SystemPredictions(name, {0: [table]}, ()))
    return compare_systems(systems)


def dots(axes):
    return [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "o"]


def spans(axes):
    return [
        sorted(map(float, line.get_xdata()))
        for line in axes.lines
        if line.get_marker() == "None" and len(set(line.get_ydata())) == 1
    ]


def test_it_draws_accuracies_and_differences_from_the_first(report):
    left, right = comparison_figure(report).axes
    of = list(report.systems.values())
    assert dots(left) == pytest.approx([100 * one.accuracy[0] for one in of])
    assert spans(left) == [pytest.approx([100 * x for x in one.accuracy[1:]]) for one in of]
    first = [pair.accuracy for pair in report.pairs if pair.first == "base"]
    assert dots(right) == pytest.approx(
        [100 * (one.accuracy[0] - of[0].accuracy[0]) for one in of[1:]]
    )
    assert spans(right) == [pytest.approx([-100 * d.high, -100 * d.low]) for d in first]
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names[:2] == ["base", "good"] and names[2].startswith("...") and len(names[2]) == 40
    assert right.get_xlabel() == "points more than base (p adjusted by Holm)"


def test_the_same_figure_gives_the_same_bytes(report):
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        one, two = (figure_bytes(comparison_figure(report), kind) for _ in range(2))
        assert one == two and one.startswith(start)
