import csv
import html
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from trained_runs import altered, cross_validated
from typer.testing import CliRunner

from avtca.cli import build_app
from avtca.clipspec import ClipSpec
from avtca.errors import ClipSpecMismatch, ConfigError, CorpusError, LeakError
from avtca.evaluation.evaluate import (
    evaluate_model,
    rater_agreement,
    remove_modality,
)
from avtca.evaluation.open_model import open_trained_model
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.selective import AbstentionCurve, abstention_report
from avtca.labels import CREMAD
from avtca.plots.html import evaluation_html

LABELS = ("low", "middle", "high")


@pytest.fixture(scope="module")
def both(made):
    return open_trained_model(made / "both", made / "prepared")


@pytest.fixture(scope="module")
def result(both):
    return evaluate_model(both)


def test_every_sample_is_answered_by_a_network_that_never_saw_its_speaker(both):
    assert len(both.folds) == 3
    table = both.predict()
    assert sorted(table.samples) == [f"take{i:03d}" for i in range(48)]
    assert both.name == "both"
    for part in both.folds:
        assert not set(part.test.speakers) & set(part.validation.speakers)
    for fold in both.calibrated():
        assert not set(fold.test.speakers) & set(fold.seen.speakers)


def test_the_figures_are_those_of_the_cross_validation(made, both, result):
    known = json.loads((made / "both/result.json").read_text())
    for name in ("accuracy", "uar", "weighted_f1", "macro_f1"):
        assert list(result.metrics[name]) == known[name]
    assert result.metrics.confusion == known["confusion"]


def test_what_a_study_says(both, result):
    assert set(result.groups) == {"sex", "age", "intensity"}
    assert sum(one.samples for one in result.groups["age"].values()) == 48
    assert list(result.groups["age"]) == ["30 to 49", "50 and over", "under 30"]
    assert set(result.modalities) == {"both", "audio only", "video only"}
    assert result.modalities["both"].accuracy == result.metrics.accuracy
    assert len(result.calibration.temperature) == 3
    assert result.fitted_on == "validation speakers" and result.left_out is None
    for one in result.sets:
        assert 0 < one.covered <= 1 and 1 <= one.mean_size <= 3
    coverage = result.abstention.coverage
    assert coverage == sorted(coverage) and coverage[-1] == 1
    calibrated = Predictions.joined([fold.test for fold in both.calibrated()])
    assert result.abstention.accuracy[-1] == pytest.approx(calibrated.correct.mean(), abs=1e-5)
    samples = [len(part.test) // len(set(part.test.speakers)) for part in both.folds]
    assert result.speaker_normalisation.min_samples == min(samples)
    value, low, high = result.speaker_normalisation.normalised.accuracy
    assert low <= value <= high
    assert "Speaker normalisation" in evaluation_html(result)
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_modality_taken_away_cannot_speak(both):
    part = both.folds[0]
    blind = remove_modality(part.test, "video")
    other = replace(
        part.test, samples=list(reversed([part.test.samples[i] for i in range(len(part.test))]))
    )
    assert all(not len(blind.samples[i].steps) for i in range(len(blind)))
    deaf = remove_modality(other, "audio")
    assert all(not len(deaf.samples[i].wave) for i in range(len(deaf)))
    alone = replace(both, folds=(part,))
    found = alone.predict(
        lambda samples: remove_modality(remove_modality(samples, "video"), "audio")
    ).probs
    np.testing.assert_allclose(found, found[:1].repeat(len(found), 0), atol=1e-6)


def test_raters_beside_the_network(both, result):
    plain = both.predict()
    votes = both.votes["both"]
    assert votes.shape == (48, 3)
    own = votes[np.arange(48), plain.true_labels]
    assert result.raters["both"].one_rater == pytest.approx(own.mean(), abs=1e-6)
    assert result.raters["both"].majority == pytest.approx((own == votes.max(1)).mean())
    assert result.raters["both"].network == pytest.approx(plain.correct.mean())
    assert result.intended is None  # the label is what it was trained and tested on


def test_crema_d_raters_are_the_published_ones(corpora):
    """63.1 % for one rater and 72.2 % for the majority, of the corpus's own votes."""
    from avtca.corpora.cremad import LABELS, _votes

    columns = _votes(corpora / "cremad" / "tabulatedVotes.csv", "test")
    samples = sorted(columns)
    truth = np.array([LABELS.index(CREMAD[sample.split("_")[2]]) for sample in samples])
    counts = np.array(
        [[columns[t][f"both_{x}"] * columns[t]["raters_both"] for x in LABELS] for t in samples]
    )
    plain = Predictions(
        LABELS,
        samples,
        [t[:4] for t in samples],
        np.eye(6)[truth],
        np.full((len(samples), 6), 1 / 6),
    )
    found = rater_agreement({"both": counts}, plain, plain.targets)["both"]
    assert found.one_rater == pytest.approx(0.631, abs=0.0005)
    assert found.majority == pytest.approx(0.722, abs=0.0005)


@pytest.fixture(scope="module")
def voted(made, tmp_path_factory):
    """A system trained on votes that name another than the intended label in every third sample."""
    rng = np.random.default_rng(3)
    intended = np.arange(48) % 3
    most = np.where(np.arange(48) % 9 < 3, (intended + 1) % 3, intended)
    shares = rng.dirichlet(np.ones(3), 48) * 0.3 + np.eye(3)[most] * 0.7
    shares[47] = 0.4, 0.4, 0.2  # no most frequent vote
    columns = {f"both_{name}": shares[:, at] for at, name in enumerate(LABELS)}
    altered(made / "prepared", made / "voted_samples", columns=columns)
    run = cross_validated(
        made, "voted", prepared="voted_samples", data={"target": "both"}, epochs=1
    )
    return open_trained_model(run, made / "voted_samples"), shares, most


def test_raters_beside_a_network_of_votes_are_judged_by_the_intended_label(voted):
    """The crowd's own favourite as the truth would make its majority right every time."""
    system, shares, most = voted
    result, answers = evaluate_model(system), system.predict().ordered()
    assert answers.samples == [f"take{i:03d}" for i in range(48)]
    intended, named = np.arange(48) % 3, answers.probs.argmax(1)
    one = result.raters["both"]
    assert one.samples == 48 and one.voted == 47
    assert one.majority == pytest.approx(np.mean((most == intended)[:47]) * 47 / 48)
    assert one.one_rater == pytest.approx(shares[np.arange(48), intended].mean())
    assert one.network == pytest.approx(np.mean(named == intended))
    assert one.network_as_voted == pytest.approx(np.mean((named == most)[:47]))
    assert result.intended.samples == 48
    assert result.intended.accuracy[0] == pytest.approx(np.mean(named == intended), abs=1e-5)
    truth = shares.argmax(1)
    assert result.metrics.accuracy[0] == pytest.approx(np.mean(named == truth), abs=1e-5)
    text = html.unescape(evaluation_html(result))
    assert "target both" in text and "against the corpus's own label, 48 samples" in text


def test_votes_for_labels_that_the_network_does_not_name_are_votes_all_the_same():
    plain = Predictions(("a", "b"), ["1", "2"], ["p", "q"], np.eye(2), np.eye(2))
    votes = {"both": np.array([[3.0, 1.0, 6.0], [0.0, 4.0, 1.0]])}
    found = rater_agreement(votes, plain, np.eye(2))["both"]
    assert found.one_rater == pytest.approx(7 / 15) and found.majority == 0.5
    assert found.voted == 1 and found.network_as_voted == 1 and found.network == 1


def test_samples_without_a_label_of_the_corpus_count_for_nobody():
    plain = Predictions(("a", "b"), ["1", "2"], ["p", "q"], np.eye(2), np.eye(2))
    votes = {"both": np.array([[3.0, 1.0], [2.0, 2.0]])}
    found = rater_agreement(votes, plain, np.array([[1.0, 0.0], [0.0, 0.0]]))["both"]
    assert found.samples == 1 and found.one_rater == 0.75 and found.network == 1


def test_thresholds_are_each_parts_own_from_other_people(both, monkeypatch):
    """With the caution taken away, for samples are few here."""
    choose = AbstentionCurve.threshold_for
    monkeypatch.setattr(
        AbstentionCurve,
        "threshold_for",
        lambda curve, wanted: choose(curve, wanted, min_count=1, z=0),
    )
    system = both.calibrated()
    result = abstention_report(system)
    for one in result.thresholds:
        answered, right, n = 0, 0, 0
        for fold, at in zip(system, one.threshold, strict=True):
            seen, action = fold.seen, fold.test
            sure = seen.probs.max(1)
            good = [t for t in np.unique(sure) if seen.correct[sure >= t].mean() >= one.wanted]
            assert at == (pytest.approx(min(good)) if good else None)
            kept = action.probs.max(1) >= (2 if at is None else at)
            answered, right = answered + kept.sum(), right + action.correct[kept].sum()
            n += len(action)
        assert one.answered == pytest.approx(answered / n)
        assert one.accuracy == (pytest.approx(right / answered) if answered else None)
    assert any(one.answered > 0 for one in result.thresholds)


def test_the_area_over_abstention_is_the_mean_risk_over_coverages(both, result):
    """AURC: for each number of answers, from the surest on, the share of wrong ones; their mean."""
    table = Predictions.joined([fold.test for fold in both.calibrated()])
    order = np.argsort(-table.probs.max(1))
    assert len(np.unique(table.probs.max(1))) == len(order)
    wrong = ~table.correct[order]
    risks = [wrong[: n + 1].mean() for n in range(len(wrong))]
    assert result.abstention.aurc == pytest.approx(np.mean(risks))


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.charts, self.links, self.heads = [], [], []
        self.inside = ""

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.inside = tag
        if values.get("class") == "chart":
            self.charts.append(values["aria-label"])
        self.links += [values[name] for name in ("href", "src") if name in values]

    def handle_data(self, data):
        if self.inside == "h2" and data.strip():
            self.heads.append(data.strip())


def test_the_page_holds_its_pictures_and_nothing_from_elsewhere(result):
    text = evaluation_html(result)
    found = Tags()
    found.feed(text)
    assert len(found.charts) == 6 and all(found.charts)
    assert not found.links
    for head in (
        "Metrics",
        "Labels",
        "Calibration",
        "Selective prediction",
        "By sex",
        "Human raters",
    ):
        assert head in found.heads
    assert "LEAK" not in text


def test_people_of_training_are_refused(made, tmp_path):
    run = made / "both" / "seed0" / "fold0"
    card = json.loads((run / "best.json").read_text())
    trained = card["provenance"]["train"]["speakers"]
    splits = [{"train": [], "validation": [], "test": trained}]
    (tmp_path / "swap.json").write_text(json.dumps({"unit": "speaker", "splits": splits}))
    swap = str(tmp_path / "swap.json")
    with pytest.raises(LeakError, match=f"{len(trained)} test speakers were in the training data"):
        open_trained_model(run, made / "prepared", folds=swap, fold=0)
    allowed = open_trained_model(run, made / "prepared", folds=swap, fold=0, allow_leak=True)
    assert set(allowed.predict().speakers) == set(trained)
    assert "2 test speakers were in the training data of the network" in allowed.split.caveat
    assert "LEAK" in evaluation_html(evaluate_model(allowed))


@pytest.mark.slow
def test_the_caveat_of_standardised_features_is_on_the_page(made, standardised):
    system = open_trained_model(standardised, made / "prepared")
    assert (
        system.split.caveat == "features normalised per speaker, on the test speakers' own samples"
    )
    text = html.unescape(evaluation_html(evaluate_model(system)))
    assert f'<p class="note warning">{system.split.caveat}</p>' in text
    assert "normalised per speaker" not in evaluation_html(
        evaluate_model(open_trained_model(made / "both", made / "prepared"))
    )


def test_a_single_run_is_tested_on_its_own_fold(made):
    system = open_trained_model(made / "both" / "seed0" / "fold2", made / "prepared")
    assert set(system.predict().speakers) == {"p4", "p5"}


def test_what_cannot_be_evaluated(made, tmp_path):
    with pytest.raises(CorpusError):
        open_trained_model(made / "both", tmp_path)
    run = made / "both"
    (tmp_path / "seed0" / "fold0").mkdir(parents=True)
    with pytest.raises(ConfigError, match="fold0 not finished"):
        open_trained_model(tmp_path, made / "prepared")
    card = run / "seed0/fold0/best.json"
    values = json.loads(card.read_text())
    assert ClipSpec.from_dict(values["clip_spec"]).sample_rate == 8000
    values["clip_spec"]["sample_rate"] = 16000
    values["clip_spec"]["hop"] = 160
    copied = tmp_path / "other.json"
    copied.write_text(json.dumps(values))
    (tmp_path / "other.safetensors").write_bytes(
        (run / "seed0/fold0/best.safetensors").read_bytes()
    )
    with pytest.raises(ClipSpecMismatch, match="sample_rate"):
        open_trained_model(tmp_path / "other", made / "prepared")


@pytest.mark.slow
def test_answers_are_saved_with_the_report(made, tmp_path):
    run = CliRunner().invoke(
        build_app(),
        ["evaluate", str(made / "both"), str(made / "prepared"), "--out", str(tmp_path)],
    )
    assert run.exit_code == 0, run.output
    assert {p.name for p in tmp_path.iterdir()} == {
        "evaluation.json",
        "evaluation.html",
        "evaluation.csv",
    }
    with (tmp_path / "evaluation.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 48
    assert "accuracy" in run.output
