"""Several labels a sample, and a value, in the report of an evaluation."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from trained_runs import altered, cross_validated
from typer.testing import CliRunner

from avtca.cli import build_app
from avtca.evaluation.aggregate import estimate_metrics, summarise
from avtca.evaluation.evaluate import (
    evaluate_model,
)
from avtca.evaluation.metrics import confusion, weighted_accuracy
from avtca.evaluation.open_model import open_trained_model
from avtca.plots.html import evaluation_html

LABELS = ("low", "middle", "high")


@pytest.fixture(scope="module")
def several(made):
    """A system of several labels at once, of which the last holds nowhere."""
    held = np.eye(3)[np.arange(48) % 3].astype(np.int64)
    held[:, 1] |= np.arange(48) % 2
    held[:, 2] = 0
    names = [f"multi_{name}" for name in LABELS]
    columns = {name: held[:, at] for at, name in enumerate(names)}
    altered(made / "prepared", made / "several_samples", targets={"multi": names}, columns=columns)
    data = {"target": "multi"}
    train = {"epochs": 1, "loss": "binary"}
    run = cross_validated(made, "several", prepared="several_samples", data=data, **train)
    return open_trained_model(run, made / "several_samples"), held


def test_several_labels_have_figures_of_their_own_and_say_what_they_have_not(several):
    system, held = several
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = evaluate_model(system)
        text = evaluation_html(result)
    json.dumps(result.to_dict(), allow_nan=False)
    named = system.predict().ordered().probs >= 0.5
    metrics = result.metrics
    assert metrics.accuracy[0] == pytest.approx(np.mean(named == held), abs=1e-5)
    recalls = [
        [np.mean(named[held[:, j] == yes, j] == yes) for yes in (0, 1)] for j in range(2)
    ]  # the third label never holds
    assert metrics.uar[0] == pytest.approx(np.mean(recalls), abs=1e-5)
    each = result.multilabel.per_class
    assert each["high"].weighted_accuracy is None and each["low"].support == 16
    assert result.left_out.why == "they need a single label per sample"
    left_out = {"calibration", "sets", "abstention", "speaker_normalisation", "intended"}
    assert not left_out & set(result.to_dict())
    assert "weighted accuracy" in text and "single label" in text and "nan" not in text
    assert set(result.modalities) == {"both", "audio only", "video only"}


def test_thresholds_of_several_labels_come_from_other_speakers(several):
    """Each fold's thresholds have the best weighted accuracy on its validation speakers."""
    system, _ = several
    report = evaluate_model(system)
    found, tests = report.multilabel_thresholds, []
    assert report.fitted_on == "validation speakers"
    for at, fold in enumerate(system.calibrated()):
        seen, test = fold.seen, fold.test
        assert not set(seen.speakers) & set(test.speakers)
        cuts = np.array([found.thresholds[name][at] for name in test.labels])
        present, tried = seen.targets > 0.5, np.linspace(0, 1, 2001)
        for j, cut in enumerate(cuts[:2]):
            quality = weighted_accuracy(
                np.stack(
                    [confusion(present[:, j], seen.probs[:, j] >= t, 2) for t in [cut, *tried]]
                )
            )
            assert quality[0] >= quality.max() - 1e-9
        assert cuts[2] == 0.5  # never present
        tests.append((test.targets > 0.5, test.probs >= cuts - 1e-5))
    truth, named = (np.concatenate(part) for part in zip(*tests, strict=True))
    recalls = [np.mean(named[truth[:, 0] == yes, 0] == yes) for yes in (0, 1)]
    assert found.metrics.per_class["low"].weighted_accuracy == pytest.approx(np.mean(recalls))
    assert "With a threshold for each label" in evaluation_html(report)


def test_sentiment_is_learned_evaluated_and_reported(made):
    """The label is a value here: low -2, middle 0, high 2; chance is an error of 1.33."""
    values = 2.0 * (np.arange(48) % 3) - 2
    folder = altered(
        made / "prepared",
        made / "sentiment_samples",
        targets={"sentiment": ["sentiment"]},
        columns={"sentiment": values},
    )
    train = {"epochs": 8, "loss": "l1", "metric": "loss"}
    data = {"target": "sentiment"}
    run = cross_validated(made, "sentiment", prepared="sentiment_samples", data=data, **train)
    system = open_trained_model(run, folder)
    report, table = evaluate_model(system), system.predict().ordered()
    assert sorted(table.targets[:, 0]) == sorted(values)
    found = report.sentiment
    assert found.mae.value == pytest.approx(np.abs(table.probs - table.targets).mean(), abs=1e-5)
    assert found.mae.value < 1 and found.pearson.value > 0.7
    assert report.metrics.accuracy == found.accuracy7
    assert report.metrics.labels == ["-3", "-2", "-1", "0", "1", "2", "3"]
    assert np.sum(report.metrics.confusion) == 48
    assert report.left_out is not None and report.calibration is None
    text = evaluation_html(report)
    assert "mean absolute error" in text and "nan" not in text
    assert type(report).from_dict(report.to_dict()) == report


def test_labels_that_never_hold_have_no_figure_and_no_warning(several):
    system, _ = several
    table = system.predict()
    never = replace(table, targets=np.zeros_like(table.targets))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line = estimate_metrics(never)
        summary = summarise({0: [never]})
    assert line.uar == (None, None, None) and line.accuracy[0] is not None
    assert summary.folds["uar"] == [None] and summary.spread["uar"] is None


def test_the_command_on_samples_of_which_no_label_holds(made, several, tmp_path):
    columns = {f"multi_{name}": 0 for name in LABELS}
    altered(made / "several_samples", tmp_path / "none", columns=columns)
    action = [
        "evaluate",
        str(made / "several"),
        str(tmp_path / "none"),
        "--out",
        str(tmp_path / "o"),
    ]
    run = CliRunner().invoke(build_app(), [str(part) for part in action])
    assert run.exit_code == 0, run.output
    first = run.stdout.splitlines()[0]
    assert first.startswith("accuracy") and "uar" not in first
    assert "left out: temperature" in run.stderr and "single label" in run.stderr
    assert "no value" in (tmp_path / "o/evaluation.html").read_text()
