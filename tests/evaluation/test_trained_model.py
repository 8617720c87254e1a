"""Which networks are evaluated on what, and whose answers they are calibrated by."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from trained_runs import altered, cross_validated
from typer.testing import CliRunner

from avtca.cli import build_app
from avtca.corpora.cache import PreparedCorpus
from avtca.errors import ConfigError, LeakError
from avtca.evaluation import open_model
from avtca.evaluation.calibration import fit_temperature
from avtca.evaluation.evaluate import evaluate_model
from avtca.evaluation.inference import WindowLogits, average_networks, window_logits
from avtca.evaluation.open_model import open_trained_model
from avtca.evaluation.selective import prediction_sets
from avtca.model import load_checkpoint
from avtca.plots.html import evaluation_html
from avtca.runtime.scores import softmax

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folded(made, whole):
    return open_trained_model(whole, made / "prepared")


def of_others(system, number):
    """Logits, labels and weights of the windows of every other fold's test samples."""
    logits, labels, weights = [], [], []
    for n, part in enumerate(system.folds):
        if n != number:
            found = window_logits(part.networks[0], part.test)
            logits.append(found.logits)
            labels.append(part.test.labels[found.sample])
            weights.append(found.weights)
    return tuple(np.concatenate(values) for values in (logits, labels, weights))


def test_without_validation_people_a_fold_is_fitted_on_the_other_folds(folded):
    assert folded.fitted_on == "other folds"
    for number, part in enumerate(folded.calibrated()):
        logits, labels, weights = of_others(folded, number)
        assert part.temperature == pytest.approx(fit_temperature(logits, labels, weights=weights))
    for made, part in zip(folded.calibrated(), folded.folds, strict=True):
        assert set(made.test.speakers) == set(part.test.speakers)
        assert set(made.seen.speakers) == {f"p{i}" for i in range(6)} - set(made.test.speakers)


def test_people_of_a_fold_have_no_part_in_its_own_temperature(folded):
    before = [part.temperature for part in folded.calibrated()]
    first = folded.folds[0]
    wrong = replace(first, test=replace(first.test, targets=np.roll(first.test.targets, 1, 1)))
    other = replace(folded, folds=(wrong, *folded.folds[1:]))
    after = [part.temperature for part in other.calibrated()]
    assert after[0] == before[0]
    assert after[1] != before[1] and after[2] != before[2]


def test_people_that_another_fold_has_trained_on_are_no_strangers(folded):
    """As under a random split, whose people are in every fold."""
    knowing = [
        replace(part, training_speakers=part.training_speakers | set(part.test.speakers[:1]))
        for part in folded.folds
    ]
    known = {part.test.speakers[0] for part in folded.folds}
    for made in replace(folded, folds=tuple(knowing)).calibrated():
        assert not set(made.seen.speakers) & (known | set(made.test.speakers))
    everybody = frozenset(f"p{i}" for i in range(6))
    parts = tuple(replace(part, training_speakers=everybody) for part in folded.folds)
    lost = replace(folded, folds=parts)
    assert (
        lost.fitted_on is None and "so were the test speakers of the other folds" in lost.not_fitted
    )


def test_sets_of_other_folds_are_those_of_the_formula(folded):
    """LAC: labels whose probability is within the ceil((n + 1) (1 - alpha))-th score of others."""
    found = prediction_sets(folded.calibrated())
    for alpha in (0.05, 0.1, 0.2):
        inside = []
        for number, part in enumerate(folded.folds):
            logits, labels, weights = of_others(folded, number)
            t = fit_temperature(logits, labels, weights=weights)
            scores = []
            for n, other in enumerate(folded.folds):
                p = window_logits(other.networks[0], other.test).probabilities(t)
                if n == number:
                    action = p
                else:
                    scores += (1 - p[np.arange(len(p)), other.test.labels]).tolist()
            rank = int(np.ceil((len(scores) + 1) * (1 - alpha) - 1e-9))
            least = sorted(scores)[rank - 1] if rank <= len(scores) else 1.0
            for p, label in zip(action, part.test.labels, strict=True):
                held = {j for j in range(3) if 1 - p[j] <= least + 1e-9} | {int(p.argmax())}
                inside.append((len(held), int(label) in held))
        sizes, hits = (np.array(values) for values in zip(*inside, strict=True))
        (one,) = [x for x in found if x.method == "lac" and x.promised == 1 - alpha]
        assert one.covered == pytest.approx(hits.mean())
        assert one.mean_size == pytest.approx(sizes.mean())
        assert one.single == pytest.approx((sizes == 1).mean())


def test_the_report_says_whose_answers_were_used(folded):
    result = evaluate_model(folded)
    assert result.fitted_on == "other folds" and result.left_out is None
    assert len(result.calibration.temperature) == 3
    text = evaluation_html(result)
    assert "fitted on the predictions of the other folds" in text
    for one in result.abstention.thresholds:
        assert len(one.threshold) == 3


def test_a_fold_alone_says_what_it_leaves_out_and_why(made, whole, tmp_path):
    """In the JSON, on the page and on standard error."""
    run = CliRunner().invoke(
        build_app(),
        ["evaluate", str(whole / "seed0/fold1"), str(made / "prepared"), "--out", str(tmp_path)],
    )
    assert run.exit_code == 0, run.output
    why = "the validation speakers were trained on (data.validation: train)"
    result = json.loads((tmp_path / "evaluation.json").read_text())
    assert why in result["left_out"]["why"] and "prediction sets" in result["left_out"]["what"]
    assert not {"calibration", "sets", "abstention", "own_samples", "fitted_on"} & set(result)
    assert why in (tmp_path / "evaluation.html").read_text()
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("left out")]
    assert "temperature" in line and why in line


def test_a_fold_that_has_not_begun_is_missed(made, tmp_path):
    shutil.copytree(made / "both", tmp_path / "both")
    shutil.rmtree(tmp_path / "both/seed0/fold1")
    with pytest.raises(ConfigError, match="2 of 3 folds are there, not 1"):
        open_trained_model(tmp_path / "both", made / "prepared")
    shutil.rmtree(tmp_path / "both/seed0/fold2")
    with pytest.raises(ConfigError, match="1 of 3 folds are there, not 1, 2"):
        open_trained_model(tmp_path / "both", made / "prepared")
    shutil.rmtree(tmp_path / "both/seed0/fold0")
    with pytest.raises(ConfigError, match="no folds in seed0"):
        open_trained_model(tmp_path / "both", made / "prepared")


def test_seeds_that_are_not_there(made):
    with pytest.raises(ConfigError, match=r"no seed 3; there are 0;"):
        open_trained_model(made / "both", made / "prepared", seed=3)
    with pytest.raises(ConfigError, match="with seed 1: no folder of avtca cv"):
        open_trained_model(made / "both/seed0/fold0", made / "prepared", seed=1)


def test_the_first_seed_there_is_counts_by_default(made, tmp_path):
    shutil.copytree(made / "both/seed0", tmp_path / "seed4")
    system = open_trained_model(tmp_path, made / "prepared")
    assert len(system.folds) == 3


def test_which_of_the_folds_is_meant(made, tmp_path):
    prepared = made / "prepared"
    with pytest.raises(ConfigError, match="on fold 2: no folds are named"):
        open_trained_model(made / "both", prepared, fold=2)
    splits = json.loads((made / "folds.json").read_text())["splits"]
    turned = tmp_path / "turned.json"
    turned.write_text(json.dumps({"unit": "speaker", "splits": splits[::-1]}))
    with pytest.raises(ConfigError, match="by turned: it has 3 folds; name one with --fold"):
        open_trained_model(made / "both/seed0/fold0", prepared, folds=str(turned))
    own = open_trained_model(made / "both/seed0/fold0", prepared, folds=str(turned), fold=2)
    assert set(own.predict().speakers) == {"p0", "p1"}
    single = tmp_path / "single.json"
    single.write_text(json.dumps({"unit": "speaker", "splits": splits[:1]}))
    alone = open_trained_model(made / "both/seed0/fold0", prepared, folds=str(single))
    assert alone.predict().samples == own.predict().samples


def test_the_same_folds_elsewhere_are_each_networks_own(made, tmp_path):
    shutil.copy(made / "folds.json", tmp_path / "elsewhere.json")
    system = open_trained_model(
        made / "both", made / "prepared", folds=str(tmp_path / "elsewhere.json")
    )
    known = open_trained_model(made / "both", made / "prepared")
    np.testing.assert_array_equal(system.predict().probs, known.predict().probs)


def test_folds_that_have_changed_since_the_training_are_refused(made, tmp_path):
    shutil.copytree(made / "both/seed0/fold0", tmp_path / "run")
    values = json.loads((made / "folds.json").read_text())
    folds = tmp_path / "folds.json"
    folds.write_text(json.dumps(values))
    for file in (tmp_path / "run").glob("*.json"):
        if file.name in ("best.json", "last.json"):
            card = json.loads(file.read_text())
            card["provenance"]["provenance"]["folds"] = str(folds)
            file.write_text(json.dumps(card))
    assert len(open_trained_model(tmp_path / "run", made / "prepared").folds) == 1
    values["splits"][0]["test"] = values["splits"][0]["test"][:1]
    folds.write_text(json.dumps(values))
    with pytest.raises(ConfigError, match="they have changed since its training"):
        open_trained_model(tmp_path / "run", made / "prepared")
    named = open_trained_model(tmp_path / "run", made / "prepared", folds=str(folds), fold=0)
    assert set(named.predict().speakers) == {"p0"}


def test_people_who_chose_the_weights_are_no_test_people(made, tmp_path):
    """The next fold's test people are this fold's validation people."""
    run, folds = made / "both/seed0/fold0", str(made / "folds.json")
    with pytest.raises(
        LeakError,
        match="2 test speakers were in the training data of the network, the first is 'p2'",
    ):
        open_trained_model(run, made / "prepared", folds=folds, fold=1)
    assert open_trained_model(run, made / "prepared", folds=folds, fold=0).split.caveat == "clean"
    kept_last = cross_validated(made, "last", epochs=1, metric="none")
    assert open_trained_model(kept_last / "seed0/fold0", made / "prepared", folds=folds, fold=1)


def test_a_fold_without_test_samples_is_named(made, tmp_path):
    splits = json.loads((made / "folds.json").read_text())["splits"]
    splits[1]["test"] = ["somebody"]
    folds = tmp_path / "folds.json"
    folds.write_text(json.dumps({"unit": "speaker", "splits": splits}))
    with pytest.raises(ConfigError, match="fold 1 of folds: this corpus has none of its test"):
        open_trained_model(made / "both/seed0/fold1", made / "prepared", folds=str(folds), fold=1)
    with pytest.raises(ConfigError, match="fold 1 has no test samples in this corpus"):
        cross_validated(made, "none", data={"folds": str(folds)}, epochs=1)
    assert not (made / "none").exists()


def test_every_own_folder_has_one_name_and_is_told_by_samples_or_people(made, tmp_path):
    _, card = load_checkpoint(made / "both/seed0/fold0/best")
    run = {**card.provenance["provenance"], "corpus": "folder"}
    card = replace(card, provenance={**card.provenance, "provenance": run})
    same = PreparedCorpus.open(altered(made / "prepared", tmp_path / "same", name="folder"))
    assert open_model._same_corpus(card, same)
    same.meta["data_hash"] = "0" * 12
    assert open_model._same_corpus(card, same)
    others = altered(
        made / "prepared", tmp_path / "x", name="folder", columns={"speaker": ["eve"] * 48}
    )
    other = PreparedCorpus.open(others)
    other.meta["data_hash"] = "0" * 12
    assert not open_model._same_corpus(card, other)


def test_samples_that_have_changed_since_the_training_are_named(made, tmp_path):
    other = altered(made / "prepared", tmp_path / "again")
    head = json.loads((other / "corpus.json").read_text())
    before, head["data_hash"] = head["data_hash"], "0" * 12
    (other / "corpus.json").write_text(json.dumps(head))
    said = f"samples changed since the training (data {before}, now {'0' * 12})"
    assert said in open_trained_model(made / "both", other).split.caveat
    assert "changed" not in open_trained_model(made / "both", made / "prepared").split.caveat


def test_on_another_corpus_the_networks_of_all_folds_answer_as_one(made, tmp_path):
    other = altered(made / "prepared", tmp_path / "other", name="other")
    folds = str(made / "folds.json")
    for kind in ({}, {"folds": folds, "fold": 1}):
        system = open_trained_model(made / "both", other, **kind)
        (part,) = system.folds
        assert len(part.networks) == 3 and evaluate_model(system).networks == 3
        each = [window_logits(one, part.test) for one in part.networks]
        mean = np.mean([softmax(found.logits) for found in each], axis=0)
        found = system.predict()
        assert len(found) == len(set(found.samples)) == (18 if kind else 48)
        rows = [mean[each[0].sample == row].mean(0) for row in range(len(found))]
        np.testing.assert_allclose(found.probs, rows, atol=1e-9)
    # The folds' validation people, of another corpus, are strangers whatever they are called.
    assert system.fitted_on == "validation speakers"
    assert open_trained_model(made / "both", other).not_fitted == "no folds are named"
    shutil.copytree(made / "both", tmp_path / "broken")
    (tmp_path / "broken/result.json").unlink()
    with pytest.raises(ConfigError, match="has not ended"):
        open_trained_model(tmp_path / "broken", other)


def test_several_labels_of_several_networks_are_their_mean_too():
    rng = np.random.default_rng(0)
    sample = np.array([0, 0, 1])
    each = [
        WindowLogits(rng.standard_normal((3, 2)), sample, 2, output="sigmoid") for _ in range(3)
    ]
    p = np.mean([1 / (1 + np.exp(-one.logits)) for one in each], axis=0)
    wanted = [p[:2].mean(0), p[2]]
    np.testing.assert_allclose(average_networks(each).probabilities(), wanted, atol=1e-9)


def test_the_device(made, monkeypatch):
    run, prepared = made / "both/seed0/fold0", made / "prepared"
    with pytest.raises(ConfigError, match="use the device tpu: unknown"):
        open_trained_model(run, prepared, device="tpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="use the device cuda: PyTorch finds none"):
        open_trained_model(run, prepared, device="cuda")
    action, load = [], open_model.load_checkpoint

    def loaded(path, *, device):
        action.append(device)
        return load(path)

    monkeypatch.setattr(open_model, "load_checkpoint", loaded)
    open_trained_model(run, prepared, device="auto")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for device in ("auto", "cuda", "cpu"):
        open_trained_model(run, prepared, device=device)
    assert action == ["cpu", "cuda", "cuda", "cpu"]
