"""Figures of the packaged recipe come from kept predictions, and nothing fitted sees its fold."""

import json
from dataclasses import replace

import fold_predictions
import fusion
import numpy as np
import pytest
import voice_figures
from fold_predictions import FoldPredictions
from made_samples import SPEC, make_samples
from scipy.special import logsumexp

from avtca.evaluation.comparison import load_system
from avtca.labels import RAVDESS, SEVEN
from avtca.training.trainer import new_network


def made_up(seed=0, samples=240, networks=2):
    """Five folds of two speakers each; two windows a sample, mostly right and overconfident."""
    rng = np.random.default_rng(seed)
    speakers = np.arange(samples) % 10 + 1
    labels, window = rng.integers(7, size=samples), np.repeat(np.arange(samples), 2)

    def logits(n):
        z = rng.normal(0, 3, (n, 2 * samples, 7)) + 6 * np.eye(7)[labels[window]]
        return (z - logsumexp(z, axis=2, keepdims=True)).astype(np.float16)

    return FoldPredictions(
        np.array([f"01-01-0{i % 8 + 1}-0{i % 2 + 1}-{i}" for i in range(samples)]),
        np.array([f"{speaker:02}" for speaker in speakers]),
        labels,
        (speakers - 1) // 2,
        window,
        {name: logits(networks) for name in fold_predictions.INPUTS}
        | {f"degraded_{name}": logits(1) for name in ("both", "voice")},
    )


def changed(found, number):
    """Other labels and other predictions for the samples of one fold."""
    rows, other = found.fold == number, made_up(seed=1)
    windows = rows[found.window_sample]
    mixed = {
        name: np.where(windows[:, None], other.log_posteriors[name], p)
        for name, p in found.log_posteriors.items()
    }
    labels = np.where(rows, (found.labels + 1) % 7, found.labels)
    return replace(found, labels=labels, log_posteriors=mixed)


@pytest.mark.parametrize("number", range(5))
def test_what_is_fitted_for_a_fold_sees_neither_its_labels_nor_its_predictions(number):
    found = made_up()
    before, after = (
        fold_predictions.select(one, number) for one in (found, changed(found, number))
    )
    assert (before.temperature, before.threshold) == (after.temperature, after.threshold)
    labels_only = replace(found, labels=changed(found, number).labels)
    same = fold_predictions.select(labels_only, number)
    assert (same.in_set == before.in_set).all() and (same.above == before.above).all()
    elsewhere = fold_predictions.select(changed(found, (number + 1) % 5), number)
    assert elsewhere.temperature != before.temperature
    assert elsewhere.threshold != before.threshold


def test_the_fitted_values_of_a_fold_equal_formulas():
    """Temperature by search on a grid, conformal quantile and threshold by their definitions."""
    found = made_up()
    chosen = fold_predictions.select(found, 3)
    posteriors = np.exp(found.log_posteriors["both"].astype(float)).mean(0)
    test = found.fold == 3
    rest = ~test[found.window_sample]

    def log_likelihood(temperature):
        z = np.log(posteriors[rest]) / temperature
        z = z - logsumexp(z, axis=1, keepdims=True)
        return z[np.arange(len(z)), found.labels[found.window_sample[rest]]].sum()

    grid = np.linspace(0.2, 5, 961)
    assert chosen.temperature == pytest.approx(max(grid, key=log_likelihood), abs=0.006)

    p = posteriors ** (1 / chosen.temperature)
    p = (p / p.sum(1, keepdims=True)).reshape(-1, 2, 7).mean(1)
    true = np.sort(1 - p[~test, found.labels[~test]])
    n = (~test).sum()
    in_set = p[test] >= 1 - true[int(np.ceil((n + 1) * 0.9)) - 1] - 1e-9
    in_set |= p[test] == p[test].max(1, keepdims=True)
    np.testing.assert_array_equal(chosen.in_set, in_set)
    np.testing.assert_array_equal(chosen.above, p[test].max(1) >= chosen.threshold)


def test_figures_equal_counts_by_hand():
    found = made_up()
    figures = fold_predictions.figures(found)
    p = found.probabilities("both")
    correct = p.argmax(1) == found.labels
    assert 0.5 < correct.mean() < 0.99
    assert figures["both"]["accuracy"][0] == pytest.approx(correct.mean())
    recalls = [correct[found.labels == label].mean() for label in range(7)]
    assert figures["both"]["uar"][0] == pytest.approx(np.mean(recalls))
    assert list(figures["per_label"].values()) == pytest.approx(recalls)
    men = np.array([int(s) % 2 == 1 for s in found.speakers])
    assert figures["groups"]["male"] == pytest.approx(correct[men].mean())
    above, covered, size = np.zeros(240, bool), np.zeros(240, bool), np.zeros(240)
    for number in range(5):
        rows, one = found.fold == number, fold_predictions.select(found, number)
        above[rows], size[rows] = one.above, one.in_set.sum(1)
        covered[rows] = one.in_set[np.arange(rows.sum()), found.labels[rows]]
    sets, sure = figures["conformal_90"], figures["sure"]
    assert sets["coverage"][0] == pytest.approx(covered.mean())
    assert sets["labels_in_a_set"][0] == pytest.approx(size.mean())
    assert sure["answered"][0] == pytest.approx(above.mean())
    assert sure["accuracy_of_answers"][0] == pytest.approx(correct[above].mean())
    for low_high in (sets["coverage"], sure["answered"], sure["accuracy_of_answers"]):
        assert low_high[1] <= low_high[0] <= low_high[2]


def test_the_packaged_calibration_does_not_see_the_actor_left_out():
    found = made_up()
    actor = np.isin(found.speakers, ["03"])
    other = replace(found, labels=np.where(actor, (found.labels + 1) % 7, found.labels))
    fitted = [fold_predictions.packaged_calibration(one, "03") for one in (found, other)]
    assert fitted[0] == fitted[1] != fold_predictions.packaged_calibration(found, "04")


def test_kept_predictions_are_read_as_they_were_written(tmp_path):
    found = made_up()
    found.save(tmp_path / "kept.npz")
    again = FoldPredictions.load(tmp_path / "kept.npz")
    assert json.dumps(fold_predictions.figures(again)) == json.dumps(
        fold_predictions.figures(found)
    )
    assert again.sample_ids.tolist() == found.sample_ids.tolist()


@pytest.mark.skipif(not fold_predictions.KEPT.exists(), reason="the folds are not published yet")
def test_published_figures_are_those_of_the_kept_predictions():
    found = FoldPredictions.load(fold_predictions.KEPT)
    published = json.loads(fold_predictions.RESULTS.read_text())["ravdess_pair"]
    assert json.loads(json.dumps(fold_predictions.figures(found))) == published


def test_the_mean_of_kept_networks_is_the_ensemble():
    """A run of two untrained networks: kept posteriors give the ensemble's probabilities."""
    seven = make_samples(6, spec=replace(SPEC, video_dim=7, audio="logmel+pitch", audio_dim=18))
    eight = replace(seven.spec, labels=RAVDESS)
    targets = np.eye(7, dtype=np.float32)[:6]
    samples = replace(seven, spec=replace(eight, labels=SEVEN), targets=targets)
    networks = [new_network(fusion.VARIANT, eight, seed=s, **fusion.SIZES) for s in (0, 1)]
    parts = [
        fusion.predict_fold(networks, samples.subset(rows), n)
        for n, rows in enumerate([(0, 1, 2), (3, 4, 5)])
    ]
    found = FoldPredictions.joined(parts)
    assert found.networks == 2 and found.folds == [0, 1]
    assert found.sample_ids.tolist() == samples.sample_ids
    for name, away in fold_predictions.INPUTS.items():
        given = fusion.remove_modality(samples, away)
        expected = fusion.window_logits(fusion.at_use(networks), given)
        assert expected.sample.tolist() == found.window_sample.tolist()
        np.testing.assert_allclose(
            found.windows(name).probabilities(), expected.probabilities(), atol=2e-3
        )


def test_predictions_of_audio_networks_give_their_figures(tmp_path):
    samples, rng = make_samples(12), np.random.default_rng(0)
    probs = [rng.dirichlet(np.ones(3), 12) for _ in range(3)]
    found = voice_figures.of_seeds(samples, probs, tmp_path / "kept")
    tables = load_system(tmp_path / "kept").tables
    each = [(one.argmax(1) == samples.labels).mean() for one in probs]
    assert [accuracy[0] for accuracy in found["each_seed"]] == pytest.approx(each)
    assert [table.correct.mean() for (table,) in tables.values()] == pytest.approx(each)
    joint = np.mean([table.ordered().probs for (table,) in tables.values()], axis=0)
    assert found["accuracy"][0] == pytest.approx((joint.argmax(1) == samples.labels).mean())
