import json
import shutil

import numpy as np
import pytest
import yaml
from made_corpus import make_corpus, make_folds

from avtca.errors import ClipSpecMismatch, ConfigError, CorpusError, LeakError
from avtca.evaluation.open_model import open_trained_model
from avtca.evaluation.predictions import Predictions
from avtca.model import load_checkpoint
from avtca.model.lineage import lineage_text, trained_on
from avtca.training.config_file import check_experiment, load_experiment
from avtca.training.cross_validate import cross_validate, fold_folder, table
from avtca.training.fold import load_data_module, run_fold


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make_corpus(folder)
    make_folds(folder / "folds.json")
    make_folds(folder / "leak.json", leak=True)
    return folder


def values(corpus, **changes):
    out = {
        "name": "made",
        "data": {"corpus": str(corpus / "prepared"), "folds": str(corpus / "folds.json")},
        "model": {
            "variant": "video_only",
            "sizes": {"video_widths": [8, 8, 8, 8], "audio_widths": [8, 8, 8, 8]},
        },
        "train": {"epochs": 3, "batch_size": 8, "optimiser": {"learning_rate": 0.02}},
        "seeds": [0, 1],
    }
    for key, value in changes.items():
        out[key] = {**out.get(key, {}), **value} if isinstance(value, dict) else value
    return out


def experiment(corpus, **changes):
    return check_experiment(values(corpus, **changes), action="test")


class Enough(Exception):
    pass


def test_cross_validation_goes_on_where_it_was(corpus, tmp_path):
    made = experiment(corpus)
    data_module = load_data_module(made)
    begun = []

    def stop(seed, fold):
        begun.append((seed, fold))
        if len(begun) == 3:
            raise Enough

    with pytest.raises(Enough):
        cross_validate(made, data_module, tmp_path, before=stop)
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("done.json")}
    assert len(times) == 2 and not (tmp_path / "result.json").exists()
    result = cross_validate(made, data_module, tmp_path)
    assert {p: p.stat().st_mtime_ns for p in times} == times
    assert result == json.loads((tmp_path / "result.json").read_text())
    assert result["samples"] == 48 and result["speakers"] == 6
    assert list(result["seeds"]) == ["0", "1"]
    per_seed = []
    for seed in (0, 1):
        parts = [Predictions.load(fold_folder(tmp_path, seed, f) / "test.csv") for f in range(3)]
        whole = Predictions.joined(parts)
        assert sorted(whole.samples) == [f"take{i:03d}" for i in range(48)]
        per_seed.append(whole.correct.mean())
    assert result["accuracy"][0] == pytest.approx(np.mean(per_seed), abs=1e-5)
    assert result["accuracy"][1] <= result["accuracy"][0] <= result["accuracy"][2]
    shown = {row[0] for row in table(result)}
    assert shown == {"accuracy", "uar", "weighted_f1", "macro_f1"}


def test_no_test_speaker_is_trained_on_or_chosen_by(corpus):
    data_module = load_data_module(experiment(corpus))
    for fold in range(3):
        sides = {
            s: set(data_module.subset(fold, s).speakers) for s in ("train", "validation", "test")
        }
        assert not sides["test"] & (sides["train"] | sides["validation"])
        assert not sides["train"] & sides["validation"]
        assert set.union(*sides.values()) == {f"p{i}" for i in range(6)}


def test_a_leaked_split_is_refused_and_its_caveat_carried(corpus, tmp_path):
    leaking = {"folds": str(corpus / "leak.json")}
    with pytest.raises(LeakError, match="speakers in two subsets"):
        load_data_module(experiment(corpus, data=leaking))
    allowed = experiment(corpus, data={**leaking, "allow_leak": True}, seeds=[0])
    result = cross_validate(allowed, load_data_module(allowed), tmp_path)
    assert "LEAK (allowed)" in result["split_audit"]
    card = json.loads((tmp_path / "seed0/fold0/best.json").read_text())
    assert "LEAK" in card["provenance"]["provenance"]["split_audit"]


def test_what_a_run_remembers(corpus, tmp_path):
    made = experiment(corpus)
    data_module = load_data_module(made)
    run_fold(made, data_module, fold=1, seed=7, out=tmp_path)
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["provenance"]["fold"] == 1
    assert run["provenance"]["folds_hash"] == data_module.folds.hash
    assert run["provenance"]["data_hash"] == data_module.provenance["data_hash"]
    assert run["train_config"]["seed"] == 7
    assert run["provenance"]["experiment"]["train"]["optimiser"]["learning_rate"] == 0.02
    assert run["train"]["speakers"] == sorted(set(data_module.subset(1, "train").speakers))


def test_validation_speakers_can_be_trained_on_and_then_calibrate_nothing(corpus, tmp_path):
    with pytest.raises(ConfigError, match="leaves no validation set"):
        experiment(corpus, data={"validation": "train"})
    made = experiment(corpus, data={"validation": "train"}, train={"metric": "none"}, seeds=[0])
    cross_validate(made, load_data_module(made), tmp_path)
    for fold in range(3):
        run = json.loads((tmp_path / f"seed0/fold{fold}/run.json").read_text())
        assert len(run["train"]["speakers"]) == 4 and run["validation"] is None
        assert not (tmp_path / f"seed0/fold{fold}/validation.csv").exists()
    system = open_trained_model(tmp_path, corpus / "prepared")
    assert [part.validation for part in system.folds] == [None] * 3


def test_a_clip_that_was_not_prepared_so_is_refused(corpus):
    with pytest.raises(ClipSpecMismatch, match="sample_rate: 8000 against 16000"):
        load_data_module(experiment(corpus, input={"sample_rate": 16000}))


def test_audio_features_may_be_chosen_without_preparing_again(corpus):
    made = values(corpus)
    made["input"] = {"audio": "mfcc", "audio_dim": 12}
    data_module = load_data_module(check_experiment(made, action="test"))
    assert data_module.dataset.spec.audio_dim == 12


def test_soft_labels_of_raters(corpus):
    data_module = load_data_module(experiment(corpus, data={"target": "both"}))
    np.testing.assert_allclose(data_module.dataset.targets.sum(1), 1, atol=1e-5)
    assert (data_module.dataset.targets.max(1) < 1).all()


def test_samples_by_a_manifest_column(corpus):
    data_module = load_data_module(experiment(corpus, data={"where": {"intensity": "strong"}}))
    assert len(data_module.dataset) == 24
    with pytest.raises(CorpusError, match="no sample has it"):
        load_data_module(experiment(corpus, data={"where": {"intensity": "loud"}}))
    with pytest.raises(ConfigError, match="no such column"):
        load_data_module(experiment(corpus, data={"where": {"mood": "loud"}}))


def test_starting_from_another_networks_weights(corpus, tmp_path):
    made = experiment(corpus)
    data_module = load_data_module(made)
    first = run_fold(made, data_module, fold=0, seed=0, out=tmp_path / "a")
    again = experiment(
        corpus, model={**values(corpus)["model"], "init_from": str(tmp_path / "a/best")}
    )
    run_fold(again, data_module, fold=0, seed=1, out=tmp_path / "b")
    start = json.loads((tmp_path / "b/run.json").read_text())["provenance"]["init_from"]
    assert start["taken"] == start["of"] == len(first.network.state_dict())


def test_another_fold_than_there_is(corpus, tmp_path):
    made = experiment(corpus)
    with pytest.raises(ConfigError, match="it has 3, counted from 0"):
        run_fold(made, load_data_module(made), fold=3, seed=0, out=tmp_path)


def test_another_corpus_in_the_same_folder_is_refused(corpus, tmp_path):
    made = experiment(corpus, seeds=[0])
    cross_validate(made, load_data_module(made), tmp_path)
    other = experiment(corpus, seeds=[0], data={"normalise": "speaker"})
    with pytest.raises(ConfigError, match=r"data\.normalise 'none' != 'speaker'"):
        cross_validate(other, load_data_module(other), tmp_path)


def test_another_network_in_the_same_folder_is_refused(corpus, tmp_path):
    made = experiment(corpus, seeds=[0])
    cross_validate(made, load_data_module(made), tmp_path)
    kept = (tmp_path / "config.json").read_text()
    other = experiment(corpus, seeds=[0], train={"epochs": 2})
    with pytest.raises(ConfigError, match=r"config\.train\.epochs 3 != 2"):
        cross_validate(other, load_data_module(other), tmp_path)
    assert (tmp_path / "config.json").read_text() == kept
    more = experiment(corpus, seeds=[0, 1], name="other")
    result = cross_validate(more, load_data_module(more), tmp_path)
    assert list(result["seeds"]) == ["0", "1"]


def test_another_start_in_the_same_folder_is_refused(corpus, tmp_path):
    made = experiment(corpus, data={"allow_leak": True}, seeds=[0])
    data_module = load_data_module(made)
    for seed in (0, 1):
        run_fold(made, data_module, fold=0, seed=seed, out=tmp_path / str(seed))
    model = {**values(corpus)["model"], "init_from": str(tmp_path / "0/best")}
    first = experiment(corpus, model=model, data={"allow_leak": True}, seeds=[0])
    cross_validate(first, load_data_module(first), tmp_path / "cv")
    for start in (None, tmp_path / "1/best"):
        other = first.model_copy(
            update={"model": first.model.model_copy(update={"init_from": start})}
        )
        with pytest.raises(ConfigError, match="init_from"):
            cross_validate(other, load_data_module(first), tmp_path / "cv")
    shutil.copytree(tmp_path / "0", tmp_path / "elsewhere")
    model["init_from"] = str(tmp_path / "elsewhere/best")
    same = experiment(corpus, model=model, data={"allow_leak": True}, seeds=[0])
    cross_validate(same, load_data_module(same), tmp_path / "cv")


def test_an_initial_checkpoint_trained_on_test_speakers_is_refused(corpus, tmp_path):
    made = experiment(corpus)
    data_module = load_data_module(made)
    run_fold(made, data_module, fold=1, seed=0, out=tmp_path / "a")
    model = {**values(corpus)["model"], "init_from": str(tmp_path / "a/best")}
    starting = experiment(corpus, model=model, seeds=[0])
    with pytest.raises(LeakError, match="in the training data of the initial checkpoint"):
        load_data_module(starting)
    load_data_module(starting, folds=[1])
    allowed = experiment(corpus, model=model, seeds=[0], data={"allow_leak": True})
    result = cross_validate(allowed, load_data_module(allowed), tmp_path / "b")
    assert "LEAK (allowed)" in result["split_audit"]
    system = open_trained_model(tmp_path / "b/seed0/fold0", corpus / "prepared", allow_leak=True)
    assert "test speakers were in the training data of the network" in system.split.caveat
    # and through a second start
    model["init_from"] = str(tmp_path / "b/seed0/fold1/best")
    with pytest.raises(LeakError, match="in the training data of the initial checkpoint"):
        load_data_module(experiment(corpus, model=model, seeds=[0]), folds=[0])


def test_words_that_name_the_corpus_are_behind_everybody(corpus, tmp_path):
    """As of packaged weights, which say in words what they learned from."""
    made = experiment(corpus)
    run_fold(made, load_data_module(made), fold=1, seed=0, out=tmp_path / "a")
    path = tmp_path / "a/best.json"
    card = json.loads(path.read_text())
    card["provenance"] = {"data": "FERPlus (pictures), MA-DE (all of it)"}
    path.write_text(json.dumps(card))
    model = {**values(corpus)["model"], "init_from": str(tmp_path / "a/best")}
    with pytest.raises(LeakError, match="in the training data of the initial checkpoint"):
        load_data_module(experiment(corpus, model=model), folds=[1])
    allowed = experiment(corpus, model=model, seeds=[0], data={"allow_leak": True})
    run_fold(allowed, load_data_module(allowed), fold=1, seed=0, out=tmp_path / "b")
    with pytest.raises(LeakError, match="test speakers were in the training data"):
        open_trained_model(tmp_path / "b", corpus / "prepared")


def test_the_packaged_network_can_be_the_initial_model(corpus):
    made = experiment(corpus, model={**values(corpus)["model"], "init_from": "default"})
    _, card = load_checkpoint(made.model.init_from)
    assert lineage_text(card).startswith("FERPlus")
    assert trained_on(card, "ravdess", {"01", "02"}) == {"01", "02"}
    assert not trained_on(card, "cremad", {"1001"})


def test_a_yaml_file_makes_the_same(corpus, tmp_path):
    path = tmp_path / "made.yaml"
    path.write_text(yaml.safe_dump(values(corpus)))
    assert load_experiment(path) == experiment(corpus)


def test_what_is_missing_is_refused_with_the_command_that_makes_it(tmp_path):
    data = {"corpus": str(tmp_path / "corpus"), "folds": "ravdess_6fold"}
    model = {"variant": "figure", "init_from": str(tmp_path / "audio" / "last")}
    made = check_experiment({"data": data, "model": model}, action="test")
    with pytest.raises(
        ConfigError, match=r"no prepared corpus in .*corpus and there is no initial"
    ):
        load_data_module(made)
    data["prepare"], model["prepare"] = "avtca prepare ravdess FOLDER --out corpus", "make audio"
    made = check_experiment({"data": data, "model": model}, action="test")
    with pytest.raises(
        ConfigError, match="run first: avtca prepare ravdess FOLDER --out corpus; m"
    ):
        load_data_module(made)
    assert "prepare" not in made.resolved()["data"]


def test_a_label_that_no_sample_has_is_refused(corpus):
    made = experiment(corpus, data={"labels": ["low", "joyful"]})
    with pytest.raises(ConfigError, match=r"no sample is labelled 'joyful'; choose data\.labels"):
        load_data_module(made)
