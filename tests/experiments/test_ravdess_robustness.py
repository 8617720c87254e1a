"""Robustness of the networks of the RAVDESS table: what is kept, compared and drawn."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import ravdess_robustness as study
import robustness_pages as pages
from made_samples import SPEC, make_samples

from avtca.evaluation.evaluated_model import EvaluatedModel, FoldModel
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.report import SplitInfo
from avtca.evaluation.robustness import measure_robustness
from avtca.labels import RAVDESS
from avtca.model import ModelConfig, build_model

pytestmark = pytest.mark.slow


SAMPLES = 240
SYSTEMS = ("concatenation", "figure", "best")


def evaluated_model(name):
    made = make_samples(12)
    spec = replace(SPEC, labels=RAVDESS)
    targets = np.pad(made.targets, ((0, 0), (0, len(RAVDESS) - made.targets.shape[1])))
    samples = replace(made, spec=spec, targets=targets)
    network = build_model("concatenation", ModelConfig.for_spec(spec))
    return EvaluatedModel(
        name, (FoldModel((network,), samples, None),), None, SplitInfo.of((), folds="x")
    )


@pytest.fixture
def few(monkeypatch):
    """Three conditions, to save time."""
    levels = {name: study.LEVELS[name] for name in ("shift", "noise", "dropped frames")}
    monkeypatch.setattr(study, "LEVELS", levels)


def tables(*, shares):
    """Predictions of systems on every level: system -> (condition, level) -> accuracy."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 8, SAMPLES)
    labels = np.array(RAVDESS)
    hard = rng.permutation(SAMPLES)
    out = {}
    for name, right in shares.items():
        table = pd.DataFrame(
            {
                "sample_id": [f"t{i:03d}" for i in range(SAMPLES)],
                "speaker": [f"s{i % 12:02d}" for i in range(SAMPLES)],
                "true": labels[truth],
            }
        )
        for condition, levels in study.LEVELS.items():
            for level in levels:
                share = right.get((condition, level), right["untouched"])
                known = hard < share * SAMPLES
                named = np.where(known, truth, (truth + 1) % 8)
                table[study.column(condition, level)] = labels[named]
        out[name] = table
    return out


def kept(answers, found, recipe="today"):
    for name, table in found.items():
        study.save(answers / f"{name}.csv.gz", table)
    made = {name: {"recipe": recipe, "caveat": "clean"} for name in found}
    (answers / "made.json").write_text(json.dumps(made))


def test_predictions_are_those_of_avtca_robustness_and_are_not_measured_twice(
    tmp_path, few, monkeypatch
):
    hashes = {"figure": "a", "best": "b"}
    models = {name: evaluated_model(name) for name in hashes}
    study.measure(models, ["noise"], tmp_path, hashes)
    found = study.read(tmp_path / "best.csv.gz")
    assert list(found)[3:] == ["untouched", "noise 20", "noise 10", "noise 0"]
    wanted = measure_robustness([models["best"]], ["noise"]).systems["best"]["noise"]
    same = {point.level: point.to_dict() for point in wanted}
    for row in same.values():
        row.pop("change", None)
    assert study.points(found, "noise") == [same[level] for level in study.LEVELS["noise"]]
    # An existing level is not measured again, nor one that other conditions share.
    measured = []
    plain = EvaluatedModel.predict
    monkeypatch.setattr(
        EvaluatedModel, "predict", lambda *a: measured.append(a[0].name) or plain(*a)
    )
    study.measure(models, ["noise"], tmp_path, hashes)
    assert measured == []
    study.measure(models, ["dropped frames"], tmp_path, hashes)
    assert measured == ["figure", "best"] * 3
    # A network that was trained again is measured again.
    measured.clear()
    study.measure(models, ["noise"], tmp_path, {**hashes, "best": "c"})
    assert measured == ["best"] * 4 and "dropped frames 0.5" not in study.read(
        tmp_path / "best.csv.gz"
    )
    assert study.made_of(tmp_path)["best"]["recipe"] == "c"


def test_losses_are_compared_on_the_same_samples_and_speakers(few):
    late = ("shift", 1.0)
    found = tables(
        shares={
            "concatenation": {"untouched": 0.8, late: 0.75},
            "figure": {"untouched": 0.7, late: 0.5},
            "best": {"untouched": 0.9, late: 0.85},
        }
    )
    points = {name: study.lost(found, name, "shift")[-1] for name in found}
    assert [point["level"] for point in study.lost(found, "best", "shift")] == [
        *study.LEVELS["shift"][1:]
    ]
    for name, share in (("concatenation", 0.05), ("figure", 0.2), ("best", 0.05)):
        value, low, high = points[name]["lost"]
        assert value == pytest.approx(share, abs=1e-4) and low < value < high
    assert "more" not in points["concatenation"]
    more = points["figure"]["more"]
    assert more["value"] == pytest.approx(0.15, abs=1e-4)
    assert more["low"] > 0 and more["p"] < 0.01
    assert points["best"]["more"]["low"] < 0 < points["best"]["more"]["high"]
    # By hand: the same draws of speakers for both networks and both states.
    right = {
        (name, level): (found[name][level] == found[name]["true"]).to_numpy().reshape(-1, 12).sum(0)
        for name in ("figure", "concatenation")
        for level in ("untouched", "shift 1.0")
    }
    change = (right["figure", "untouched"] - right["figure", "shift 1.0"]) - (
        right["concatenation", "untouched"] - right["concatenation", "shift 1.0"]
    )
    draws = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), size=2000)
    low, high = np.percentile(draws @ change / SAMPLES, [2.5, 97.5])
    assert (more["low"], more["high"]) == pytest.approx((low, high), abs=1e-4)


def test_systems_without_predictions_keep_their_figures_and_are_marked(tmp_path, few):
    kept(tmp_path, tables(shares={name: {"untouched": 0.8} for name in SYSTEMS}))
    whole = study.read(tmp_path / "best.csv.gz")
    study.save(tmp_path / "best.csv.gz", whole.drop(columns="noise 0"))
    curve = [{"level": level, "accuracy": [0.5, 0.4, 0.6]} for level in (0.0, -1.0, 1.0)]
    old = {
        "systems": {"figure_long": {"shift": curve}, "figure": {"shift": curve}},
        "samples": {"figure_long": 9},
    }
    today = dict.fromkeys(study.SYSTEMS, "today") | {"figure": "another"}
    found = study.summary(tmp_path, old, today)
    assert found["systems"]["figure_long"] == {"shift": curve}
    assert found["systems"]["figure"]["shift"] != curve
    assert found["samples"] == {"figure_long": 9, **dict.fromkeys(SYSTEMS, SAMPLES)}
    assert found["earlier"] == ["figure", "figure_long"]
    # A condition without all of its levels is left out.
    assert set(found["systems"]["best"]) == {"shift", "dropped frames"}
    assert set(found["systems"]["figure"]) == set(study.LEVELS)


def test_pictures_and_tables(tmp_path):
    late, noise = ("shift", 1.0), ("noise", 10)
    shares = {
        "concatenation": {"untouched": 0.8, late: 0.75, noise: 0.6},
        "figure": {"untouched": 0.7, late: 0.5, noise: 0.3},
        "best": {"untouched": 0.9, late: 0.85, noise: 0.7},
    }
    kept(tmp_path, tables(shares=shares))
    curve = [{"level": x, "accuracy": [y]} for x, y in ((0.0, 0.75), (-1.0, 0.5), (1.0, 0.5))]
    old = {"systems": {"figure_long": {"shift": curve}}}
    result = study.summary(tmp_path, old, dict.fromkeys(study.SYSTEMS, "today"))
    assert result["earlier"] == ["figure_long"] and pages.complete(result) == [*SYSTEMS]

    drawn = pages.curves(result)
    titles = [axes.get_title() for axes in drawn.axes]
    assert titles == [title for title, _ in pages.CONDITIONS.values()]
    first = drawn.axes[0]
    assert [line.get_label() for line in first.lines] == [*SYSTEMS]
    assert first.lines[1].get_ydata() == pytest.approx([70, 70, 30, 70])
    assert first.get_xlabel().endswith("dB") and drawn.axes[0].get_ylabel() == "accuracy, %"

    short, long, more = pages.shifts(result).axes
    names = [[line.get_label() for line in axes.lines] for axes in (short, long)]
    assert names == [["concatenation", "figure"], ["experts", "figure_long †"]]
    assert long.lines[1].get_ydata().tolist() == [-25, 0, -25]
    assert [text.get_text() for text in more.get_yticklabels()] == ["experts", "figure"]

    rows = pages.shift_rows(result).splitlines()
    assert rows[0].startswith("| `concatenation` | 0.0 [0.0, 0.0] |  | 5.0 [")
    assert rows[1].split(" | ")[3].startswith("20.0 [")
    assert rows[1].split(" | ")[4].startswith("+15.0 [+")
    rows = pages.damage_rows(result).splitlines()
    assert rows[1].startswith("| `figure`, 70.0 | 40.0, +20.0 [+")
    assert all(name.count("|") == pages.DAMAGE_HEAD.splitlines()[0].count("|") for name in rows)


def test_systems_trained_with_noise_are_compared_with_those_without(tmp_path, monkeypatch):
    levels = {name: study.LEVELS[name] for name in ("noise", "reverberation", "codec", "shift")}
    monkeypatch.setattr(study, "LEVELS", levels)
    loud = ("noise", 10)
    shares = {
        "concatenation": {"untouched": 0.8, loud: 0.5},
        "concatenation_noise": {"untouched": 0.75, loud: 0.7},
        "figure": {"untouched": 0.7, loud: 0.3},
        "figure_noise": {"untouched": 0.65, loud: 0.45},
        "best": {"untouched": 0.9, loud: 0.6},
    }
    kept(tmp_path, tables(shares=shares))
    result = study.summary(tmp_path, {}, dict.fromkeys(study.SYSTEMS, "today"))
    assert pages.noise_trained(result) == ["concatenation", "figure"]
    assert "more" not in result["lost"]["concatenation_noise"]["noise"][1]
    # 20 points against the 5 of the baseline trained with noise
    assert result["lost"]["figure_noise"]["noise"][1]["more"]["value"] == pytest.approx(0.15)
    assert result["lost"]["figure"]["noise"][1]["more"]["value"] == pytest.approx(0.1)
    rows = pages.noise_rows(result).splitlines()
    assert rows[0].split(" | ")[:4] == [
        "| `concatenation`",
        *("80.0 → 75.0", "80.0 → 75.0", "50.0 → 70.0"),
    ]
    assert rows[1].split(" | ")[3].startswith("30.0 → 45.0, +15.0 [+")
    assert all(name.count("|") == pages.NOISE_HEAD.splitlines()[0].count("|") for name in rows)
    assert "concatenation_noise" not in pages.shift_rows(result)

    drawn = pages.with_noise(result)
    assert [axes.get_title() for axes in drawn.axes] == [
        pages.CONDITIONS[name][0] for name in ("noise", "reverberation", "codec")
    ]
    full, hollow = drawn.axes[0].lines[2:]
    assert (full.get_label(), hollow.get_label()) == ("figure_noise", "figure")
    assert full.get_ydata() == pytest.approx([65, 65, 45, 65])
    assert (full.get_fillstyle(), hollow.get_fillstyle()) == ("full", "none")


def test_every_network_has_a_colour_and_a_marker_of_its_own():
    for part in zip(*pages.STYLE.values(), strict=True):
        assert len(set(part)) == len(part)
    assert {name.removesuffix("_long") for name in study.NETWORKS} <= set(pages.STYLE)
    assert pages.style("figure_long") == pages.style("figure")


def test_predictions_of_a_column_have_probability_one():
    found = tables(shares={"best": {"untouched": 0.5}})["best"]
    answers = study.predictions(found, "untouched")
    assert isinstance(answers, Predictions) and answers.correct.mean() == 0.5
    assert [RAVDESS[i] for i in answers.true_labels] == found["true"].tolist()
