"""The scripts that make the RAVDESS table, as far as they run in seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import fill_pages
import names
import numpy as np
import pytest
import ravdess
import ravdess_references
import ravdess_table

from avtca.clipspec import ClipSpec
from avtca.data.caveats import CaveatKind, find_caveats
from avtca.evaluation.predictions import Predictions
from avtca.labels import RAVDESS
from avtca.model import ModelConfig, build_model
from avtca.training.config_file import load_experiment


@pytest.mark.parametrize("protocol", ravdess.PROTOCOLS)
@pytest.mark.parametrize("system", ravdess.SYSTEMS)
def test_every_run_is_a_valid_experiment(protocol, system, tmp_path):
    initial = tmp_path / "voice" / "last"
    experiment = ravdess.Run(protocol, system, 2).experiment(tmp_path, ["train.epochs=3"], initial)
    if protocol.endswith("standardised"):
        initial = tmp_path / "voice_standardised" / "last"
    network, features = ravdess.SYSTEMS[system]
    variant = "best" if network in ravdess.EXPERTS else network
    assert names.published(experiment.model.variant) == variant
    pretrained = network in ("best", "best_attention")
    assert experiment.model.init_from == (initial if pretrained else None)
    assert experiment.data.corpus == tmp_path / "prepared" / features
    assert experiment.seeds == (2,) and experiment.train.epochs == 3
    assert experiment.data.allow_leak == ("random" in protocol)
    assert (experiment.data.normalise == "speaker") == protocol.endswith("standardised")
    alone = variant.endswith("_only")
    assert (experiment.train.modality_dropout.mode == "none") == alone


@pytest.mark.parametrize("name", ravdess.published_runs())
def test_a_published_run_has_the_hash_of_todays_configuration(name):
    """A renamed key does not make the published predictions those of another configuration."""
    record = ravdess.published_runs()[name]
    protocol, system, seed = name.split("/")
    run = ravdess.Run(protocol, system, int(seed.removeprefix("seed")))
    experiment = run.experiment(Path(), record["changes"], ravdess.PRETRAINED)
    assert ravdess.config_hash(experiment) == record["recipe"]


@pytest.mark.parametrize("name", [*ravdess.SYSTEMS, *ravdess_table.ENSEMBLES])
def test_published_names_are_found_again(name):
    assert names.published(names.shown(name)) == name == names.published(name)


SYSTEM_FILES = {
    "experts": ("luna_5fold", "best"),
    "experts_speaker_normalised": ("luna_5fold_standardised", "best"),
    "experts_noise": ("luna_5fold", "best_noise"),
    "experts_action_units": ("luna_5fold", "best+action_units"),
}


@pytest.mark.parametrize("name", SYSTEM_FILES)
def test_a_configuration_file_is_what_the_table_trains(name):
    protocol, system = SYSTEM_FILES[name]
    run = ravdess.Run(protocol, system, 0).experiment(Path(), [], ravdess.PRETRAINED)
    path = ravdess.CONFIGS / f"{name}.yaml"
    changes = [f"name={system}", f"data.corpus={run.data.corpus}", "seeds=[0]"]
    experiment = load_experiment(path, changes)
    assert Path(experiment.model.init_from).resolve() == run.model.init_from
    assert run.model.init_from.with_suffix(".safetensors").exists()
    same = {"model": {"init_from"}}
    assert experiment.model_dump(exclude=same) == run.model_dump(exclude=same)
    assert ravdess.config_hash(experiment) == ravdess.config_hash(run)
    assert load_experiment(path).seeds == (0, 1, 2)


def test_every_configuration_of_the_sequences_is_compared_with_the_table():
    files = {path.stem for path in ravdess.CONFIGS.glob("*.yaml")}
    assert files == {*SYSTEM_FILES, "luna_5fold", "paper_recipe"}
    fusions = {*ravdess.SINGLE_STREAM, *ravdess.FUSIONS} - {*ravdess.EXPERTS}
    assert fusions <= set(ravdess.sweep("ravdess_sequences/luna_5fold.yaml"))


def test_a_regression_is_chosen_on_validation_speakers_and_trained_on_them_too():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    x = np.eye(3)[y] @ rng.standard_normal((3, 5)) + rng.standard_normal((120, 5))
    rows = rng.permutation(120)
    test, known = rows[:40], rows[40:]
    # Only validation speakers have the third label.
    third = known[y[known] == 2]
    train = np.concatenate([known[y[known] == 0][:15], known[y[known] == 1][:15]])
    validation = np.setdiff1d(known, train)
    side = {"train": train, "validation": validation, "test": test}
    probs = ravdess_references.answers(x, y, side)
    assert set(third) <= set(validation) and probs.shape == (40, 3)
    assert (probs.argmax(1) == y[test]).mean() > 0.6


def test_experts_with_attention_differ_only_in_attention(tmp_path):
    given = {"video": "features", "video_features": "expression7", "video_dim": 7}
    spec = ClipSpec(**given, labels=RAVDESS)
    shapes = []
    for system in ("best_attention", "best"):
        experiment = ravdess.Run("luna_5fold", system, 0).experiment(tmp_path, [])
        config = ModelConfig.for_spec(experiment.input.over(spec), **experiment.model.sizes)
        weights = build_model(experiment.model.variant, config).state_dict()
        shapes.append({name: weight.shape for name, weight in weights.items()})
    whole, without = shapes
    assert without.items() < whole.items()
    gone = {name.split(".")[0] for name in whole.keys() - without.keys()}
    places = {f"{stream}_{box}" for stream in ("audio", "video") for box in ("pool", "positions")}
    assert gone == places | {"self_attention", "cross_attention", "head"}


def test_a_run_belongs_to_one_living_process(tmp_path):
    assert ravdess.claim(tmp_path)
    assert ravdess.claim(tmp_path)
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    (tmp_path / "claimed").write_text(gone.stdout.decode().strip())
    assert ravdess.claim(tmp_path)
    (tmp_path / "claimed").write_text(str(os.getppid()))
    assert not ravdess.claim(tmp_path)


def write_run(work, protocol, system, seed, skill, recipe=None):
    rng = np.random.default_rng(seed)
    truth = np.arange(160) % 8
    for fold in range(2):
        folder = (
            work / "runs" / protocol / system / f"of_seed{seed}" / f"seed{seed}" / f"fold{fold}"
        )
        folder.mkdir(parents=True)
        mine = np.arange(160) // 80 == fold
        z = rng.standard_normal((80, 8)) + skill * np.eye(8)[truth[mine]]
        probs = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        names = [f"t{i:03d}" for i in np.flatnonzero(mine)]
        people = [f"s{i // 20}" for i in np.flatnonzero(mine)]
        labels = tuple("abcdefgh")
        table = Predictions(labels, names, people, np.eye(8)[truth[mine]], probs)
        table.save(folder / "test.csv")
    done = work / "finished" / protocol / system / f"seed{seed}.json"
    done.parent.mkdir(parents=True, exist_ok=True)
    experiment = ravdess.Run(protocol, system, seed).experiment(work, [], ravdess.PRETRAINED)
    recipe = recipe or ravdess.config_hash(experiment)
    made = {"recipe": recipe, "commit": "", "seconds": 1, "changes": []}
    audit = "LEAK (allowed): 8 people on both sides" if "random" in protocol else "clean"
    split = {"split_audit": audit, "normalise": experiment.data.normalise}
    done.write_text(json.dumps(made | split | {"labels": []}))


def test_an_ensemble_is_the_mean_of_the_seeds(tmp_path):
    for seed in (3, 0, 1):
        write_run(tmp_path, "luna_5fold", "best", seed, 1.0)
    kept = tmp_path / "kept"
    kept.mkdir()
    ravdess_table.publish(tmp_path, kept)
    tables, today = ravdess_table.load_published(kept, "luna_5fold", "best")
    assert list(tables) == [0, 1, 3] and today
    (folds,) = ravdess_table.ensemble(tables).values()
    assert [len(fold) for fold in folds] == [80, 80]
    for number, fold in enumerate(folds):
        seeds = [table[number] for table in tables.values()]
        every = [dict(zip(one.samples, one.probs, strict=True)) for one in seeds]
        for name, probs in zip(fold.samples, fold.probs, strict=True):
            np.testing.assert_allclose(probs, sum(one[name] for one in every) / 3)
    alone = [np.mean([fold.correct.mean() for fold in t]) for t in tables.values()]
    assert np.mean([fold.correct.mean() for fold in folds]) > max(alone)


def test_predictions_of_another_configuration_are_marked_until_the_first_of_todays(
    tmp_path, monkeypatch
):
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["ravdess_table.py", str(tmp_path), str(out)])
    for seed in (0, 1):
        write_run(tmp_path, "luna_5fold", "best", seed, 2.0, recipe="before")
    write_run(tmp_path, "luna_5fold", "audio_only", 0, 1.0)
    ravdess_table.main()
    found = json.loads((out / "ravdess.json").read_text())
    cell = found["best"]["luna_5fold"]
    assert cell["recipe"] == "earlier" and len(cell["seeds"]) == 2
    assert "recipe" not in found["audio_only"]["luna_5fold"]
    (pair,) = found["_beside"]["differences"]
    assert pair["second"] == "audio_only" and pair["recipe"] == "earlier"
    text = (out / "ravdess.md").read_text()
    assert "] (2) † |" in text and "| experts - audio_only † |" in text
    write_run(tmp_path, "luna_5fold", "best", 2, 2.0)
    ravdess_table.main()
    cell = json.loads((out / "ravdess.json").read_text())["best"]["luna_5fold"]
    assert "recipe" not in cell and len(cell["seeds"]) == 1


@pytest.mark.slow
def test_the_table_is_made_from_the_finished_runs(tmp_path, monkeypatch):
    work, out = tmp_path / "work", tmp_path / "out"
    for system, skill in (("figure", 3.0), ("audio_only", 1.0)):
        for seed in (0, 1):
            write_run(work, "luna_5fold", system, seed, skill)
    write_run(work, "paper_random_80_20", "figure", 0, 5.0)
    monkeypatch.setattr(sys, "argv", ["ravdess_table.py", str(work), str(out)])
    ravdess_table.main()
    found = json.loads((out / "ravdess.json").read_text())
    cell = found["figure"]["luna_5fold"]
    assert len(cell["seeds"]) == 2
    value, low, high = cell["accuracy"]
    assert value == pytest.approx(np.mean(cell["seeds"]), abs=1e-4) and low < value < high
    assert set(found["figure"]) == {"luna_5fold", "paper_random_80_20"}
    rest = found.pop("_beside")
    assert rest["same_as"] == {"it4_ct4": "figure"} and found["it4_ct4"] == found["figure"]
    for system in found.values():
        assert set(system) <= set(ravdess.PROTOCOLS)
        figures = [one[name] for one in system.values() for name in ravdess_table.METRICS]
        assert all(len(one) == 3 for one in figures)
    pairs = {(p["first"], p["second"]): p for p in rest["differences"]}
    assert pairs["figure", "audio_only"]["low"] > 0
    text = (out / "ravdess.md").read_text()
    assert "speaker overlap" in text
    (line,) = [line for line in text.splitlines() if line.startswith("| figure |")]
    assert [part.split()[-1] for part in line.split("|")[2:4]] == ["(2)", "(1)"]
    made = json.loads((out / "ravdess" / "runs.json").read_text())
    assert made["paper_random_80_20/figure/seed0"]["split_audit"].startswith("LEAK")
    record = made["luna_5fold/figure/seed1"]
    assert (record["split_audit"], record["normalise"]) == ("clean", "none")
    kinds = [
        [caveat.kind for caveat in find_caveats(out / "ravdess" / protocol / "figure")]
        for protocol in ("luna_5fold", "paper_random_80_20")
    ]
    assert kinds == [[], [CaveatKind.LEAK]]
    assert (out / "ravdess.png").stat().st_size > 5000
    # Another machine, where nothing was trained, makes the same table and goes on with it.
    first = (out / "ravdess.json").read_text()
    monkeypatch.setattr(sys, "argv", ["ravdess_table.py", str(tmp_path / "empty"), str(out)])
    ravdess_table.main()
    assert (out / "ravdess.json").read_text() == first
    write_run(tmp_path / "other", "luna_5fold", "figure", 2, 3.0)
    monkeypatch.setattr(sys, "argv", ["ravdess_table.py", str(tmp_path / "other"), str(out)])
    ravdess_table.main()
    assert len(json.loads((out / "ravdess.json").read_text())["figure"]["luna_5fold"]["seeds"]) == 3


def test_figures_without_predictions_stay_until_as_many_seeds_are_there(tmp_path, monkeypatch):
    write_run(tmp_path / "work", "luna_5fold", "figure", 0, 3.0)
    out = tmp_path / "out"
    (out / "ravdess").mkdir(parents=True)

    def line(*seeds):
        return {
            "luna_5fold": {name: [0.5, 0.4, 0.6] for name in ravdess_table.METRICS}
            | {"seeds": list(seeds), "folds": [], "spread_over_folds": None}
        }

    pair = {"first": "figure", "second": "it4", "value": 0.0, "low": -0.1, "high": 0.1, "p": 1.0}
    rows = {
        "figure": line(0.5),
        "it4": line(0.5, 0.5, 0.5),
        "ct4": line(0.5),
        "released": line(0.5),
    }
    pairs = [pair, {**pair, "first": "ct4", "second": "released"}]
    lost = {"rows": rows, "differences": [{**one, "mcnemar": 1.0} for one in pairs]}
    (out / "ravdess" / "earlier.json").write_text(json.dumps(lost))
    monkeypatch.setattr(sys, "argv", ["ravdess_table.py", str(tmp_path / "work"), str(out)])
    ravdess_table.main()
    found = json.loads((out / "ravdess.json").read_text())
    assert "answers" not in found["figure"]["luna_5fold"]
    assert found["it4"]["luna_5fold"] == rows["it4"]["luna_5fold"] | {"answers": "not kept"}
    # Of the lost differences, those of one seed on each side are kept.
    (kept,) = found["_beside"]["differences"]
    assert (kept["first"], kept["second"], kept["answers"]) == ("ct4", "released", "not kept")
    text = (out / "ravdess.md").read_text()
    assert "| it4 | 50.0 [40.0, 60.0] (3) * |" in text and "ct4 - released *" in text


def test_predictions_on_normalised_samples_are_adapted_too(tmp_path, monkeypatch):
    work, out = tmp_path / "work", tmp_path / "out"
    for seed in range(3):
        write_run(work, ravdess_table.NORMALISED, "best+action_units", seed, 1.0)
    monkeypatch.setattr(sys, "argv", ["ravdess_table.py", str(work), str(out)])
    ravdess_table.main()
    found = json.loads((out / "ravdess.json").read_text())
    for system, seeds in (("best+action_units", 3), ("best+action_units_averaged", 1)):
        own = found[system][ravdess_table.NORMALISED]
        for how in ("standardised", "matched"):
            one = found[f"{system}_answers_{how}"][ravdess_table.NORMALISED]
            assert len(one["seeds"]) == seeds and one["accuracy"] != own["accuracy"]


def test_a_config_hash_does_not_depend_on_where_data_and_weights_are_stored(tmp_path):
    def digits(work, *changes, system="best", folder="voice"):
        run = ravdess.Run("luna_5fold", system, 0)
        return ravdess.config_hash(run.experiment(work, list(changes), work / folder / "last"))

    assert digits(tmp_path / "a") == digits(tmp_path / "b")
    others = [
        digits(tmp_path, "train.epochs=7"),
        digits(tmp_path, folder="another"),
        digits(tmp_path, system="best_scratch"),
    ]
    assert len({digits(tmp_path), *others}) == 4
    # Other weights in a folder of that name give another hash.
    (tmp_path / "mine" / "voice").mkdir(parents=True)
    card = tmp_path / "mine" / "voice" / "last.json"
    card.write_text(ravdess.PRETRAINED.with_suffix(".json").read_text())
    assert digits(tmp_path / "mine") == digits(tmp_path)
    card.write_text(json.dumps({"weights_sha256": "0" * 64}))
    assert digits(tmp_path / "mine") not in {digits(tmp_path), *others}


def test_the_data_module_is_opened_again_for_another_initial_checkpoint(monkeypatch):
    opened = []
    monkeypatch.setattr(
        ravdess, "load_data_module", lambda one: opened.append(one.model.init_from) or one
    )
    modules = ravdess.LastDataModule()
    for system in ("best_scratch", "best", "best"):
        run = ravdess.Run("luna_5fold", system, 0)
        modules.of(run.experiment(Path(), [], ravdess.PRETRAINED))
    assert opened == [None, ravdess.PRETRAINED]


def test_the_provenance_of_a_run_is_that_of_its_folds(tmp_path):
    for fold, commit in enumerate(("a", "a", "b")):
        folder = tmp_path / "seed0" / f"fold{fold}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"versions": {"commit": commit}}))
        (folder / "done.json").write_text(json.dumps({"seconds_of_last_process": 10.3}))
    assert ravdess.provenance(tmp_path) == {"commit": "a, b", "seconds": 31}


def test_published_predictions_of_todays_configuration_are_not_replaced_by_older_ones(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    write_run(tmp_path / "new", "luna_5fold", "audio_only", 0, 2.0)
    ravdess_table.publish(tmp_path / "new", kept)
    before = (kept / "luna_5fold/audio_only/seed0.csv.gz").read_bytes()
    write_run(tmp_path / "old", "luna_5fold", "audio_only", 0, 0.5, recipe="before")
    ravdess_table.publish(tmp_path / "old", kept)
    assert (kept / "luna_5fold/audio_only/seed0.csv.gz").read_bytes() == before
    assert ravdess.published_runs(kept)["luna_5fold/audio_only/seed0"]["recipe"] != "before"


def test_a_page_without_its_table_is_refused_and_not_changed(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "evaluation.md"
    monkeypatch.setattr(fill_pages, "ROOT", tmp_path)
    page.write_text("Words.\n")
    with pytest.raises(SystemExit, match=r"docs/evaluation\.md has no table with this head"):
        fill_pages.filled("docs/evaluation.md")
    heads = [head for name, head, *_ in fill_pages.TABLES if name == "docs/evaluation.md"]
    page.write_text("".join(f"Before.\n\n{head}| old |\n\n" for head in heads) + "After.\n")
    text = fill_pages.filled("docs/evaluation.md")
    assert text.endswith("|\n\nAfter.\n") and "| old |" not in text
    assert text.count("| `figure`") == 3 and text.count("Before.") == 3


def test_the_table_of_networks_has_every_regression():
    results = json.loads((fill_pages.RESULTS / "ravdess.json").read_text())
    rows = fill_pages.network_rows(results)
    for name in ("face", "audio", "face_audio", "all"):
        value = results["_beside"]["references"][f"regression_{name}"]["accuracy"][0]
        assert f"* | {100 * value:.1f} [" in rows
