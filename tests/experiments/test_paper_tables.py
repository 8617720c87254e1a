"""The script that makes the paper's tables: its systems are valid, and its table is right."""

import json
import wave

import numpy as np
import paper_tables
import pytest
import ravdess

from avtca.corpora import load_folds
from avtca.corpora.splits import RANDOM_SPLIT
from avtca.evaluation.predictions import Predictions
from avtca.training.config_file import load_experiment

pytestmark = pytest.mark.slow


NETWORKS = {"figure", "it1", "it4", "ct1", "ct4", "it1_ct1"}
WITHOUT = {"no_channel", "no_local", "no_spatial"}


@pytest.mark.parametrize("corpus", paper_tables.CORPORA)
def test_every_system_is_a_valid_experiment_under_both_protocols(corpus):
    table, file = paper_tables.CORPORA[corpus], paper_tables.config_of(corpus)
    path, systems = paper_tables.CONFIGS / file, ravdess.sweep(file)
    assert set(systems) == NETWORKS | (set() if corpus == "mosei" else WITHOUT)
    assert set(table.paper) <= set(systems)
    random, apart = table.folds
    for system, changes in systems.items():
        for folds, leak in ((random, True), (apart, False)):
            experiment = load_experiment(path, [*changes, *paper_tables.protocol_changes(folds)])
            assert (experiment.data.folds, experiment.data.allow_leak) == (folds, leak)
            assert experiment.model.variant == system and experiment.model.init_from is None
            recipe = experiment.train
            assert recipe.optimiser.learning_rate == 0.01 and recipe.epochs == 128
    assert random == RANDOM_SPLIT or load_folds(random).unit == "sample_id"
    assert load_folds(apart).unit == "speaker"
    assert load_experiment(path).data.folds == random


def test_the_table_includes_the_figures_of_the_paper():
    leak = {"split_audit": "LEAK (allowed): 3 people"}
    results = {
        "figure": {
            "random": {"accuracy": [0.8, 0.7, 0.9], "weighted_f1": [0.79, 0.69, 0.89], **leak},
            "apart": {"accuracy": [0.6, 0.5, 0.7], "weighted_f1": [0.59, 0.4, 0.7]},
        },
        "it4": {
            "random": {"accuracy": [0.75, None, None], "weighted_f1": [0.74, None, None], **leak}
        },
    }
    lines = paper_tables.markdown(
        "ravdess", results, "1 of 9 samples could not be used"
    ).splitlines()
    assert lines[0].endswith("Tables II and V, with a split random over clips.")
    assert lines[1] == "1 of 9 samples could not be used."
    heads = "paper: accuracy | paper: F1 | random: accuracy | random: F1 | apart: accuracy"
    assert lines[3] == f"| network | {heads} | apart: F1 |"
    assert lines[5] == (
        "| `figure` | 96.11 | 93.78 | 80.0 [70.0, 90.0] | 79.0 [69.0, 89.0] | 60.0 [50.0, 70.0] | "
        "59.0 [40.0, 70.0] |"
    )
    assert lines[6] == "| `it4` | 76.41 |  | 75.0 | 74.0 |  |  |"
    assert lines[-1] == "`random`: LEAK (allowed): 3 people"


def test_several_labels_are_compared_with_always_predicting_absence(tmp_path):
    truth = np.array([[1.0, 0], [0, 0], [0, 0], [1, 1]])
    answers = Predictions(
        ("x", "y"), list("abcd"), list("abcd"), truth, truth * 0.9, output="sigmoid"
    )
    (tmp_path / "seed0" / "fold0").mkdir(parents=True)
    answers.save(tmp_path / "seed0" / "fold0" / "test.csv")
    found = {"accuracy": [1.0, None, None], "weighted_f1": [1.0, None, None]}
    found["folds"] = {"accuracy": [1.0]}
    (tmp_path / "result.json").write_text(json.dumps(found))
    figures = paper_tables.figures(tmp_path)
    assert figures["always_no"]["accuracy"] == [(0.5 + 0.75) / 2, None, None]
    f1_of_no = [2 * q / (1 + q) for q in (0.5, 0.75)]
    wanted = np.mean([q * f1 for q, f1 in zip((0.5, 0.75), f1_of_no, strict=True)])
    assert figures["always_no"]["weighted_f1"][0] == pytest.approx(wanted)
    table = paper_tables.markdown("mosei", {"figure": {"random_80_20": figures}})
    assert "mean of six binary accuracies" in table and "Tables III and V" in table
    assert table.splitlines()[-2:] == [
        "| `figure` | 95.84 | 94.13 | 100.0 | 100.0 |",
        f"| always absent |  |  | 62.5 | {100 * wanted:.1f} |",
    ]


def write_voice(path, seed):
    """A second and a half of a tone with harmonics and some noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(24_000) / 16_000
    tone = sum(rng.uniform() * np.sin(2 * np.pi * rng.uniform(90, 300) * k * t) for k in (1, 2, 3))
    samples = np.int16(8000 * (tone / 3 + 0.05 * rng.standard_normal(len(t))).clip(-1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


SMALL = ["train.epochs=1", "train.device=cpu", "train.workers=0", "train.batch_size=4", "seeds=[0]"]
SMALL += ["model.sizes={video_widths: [4, 4, 8, 8], audio_widths: [4, 4, 8, 8]}"]


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Audio of five actors, two clips each, and one broken file; one speaker-independent fold."""
    sides = {"train": ["1006", "1007", "1009"], "validation": ["1001"], "test": ["1011"]}
    folds = {"name": "apart", "unit": "speaker", "splits": [sides]}
    (tmp_path / "apart.json").write_text(json.dumps(folds))
    table = paper_tables.CORPORA["cremad"]
    table = table._replace(folds=(table.folds[0], str(tmp_path / "apart.json")))
    monkeypatch.setitem(paper_tables.CORPORA, "cremad", table)
    clips = [
        f"{who}_DFA_{code}_XX" for side in sides.values() for who in side for code in ("ANG", "SAD")
    ]
    for seed, clip in enumerate(clips):
        write_voice(tmp_path / "CREMA-D" / "AudioWAV" / f"{clip}.wav", seed)
    (tmp_path / "CREMA-D" / "AudioWAV" / "1011_DFA_HAP_XX.wav").write_bytes(b"broken" * 100)
    return tmp_path / "CREMA-D"


def test_a_corpus_with_a_broken_file_gives_a_table(corpus, tmp_path, capfd):
    work = tmp_path / "work"
    arguments = ["cremad", str(corpus), str(work), "--prepare", "--workers 0 --set crop_px=32"]

    def table(system):
        paper_tables.main([*arguments, "--systems", system, "--set", *SMALL])
        return (work / "cremad.md").read_text().splitlines()

    first = table("figure")
    said = capfd.readouterr()
    failures = work / "prepared" / "cremad" / "failures.csv"
    warned = f"1 of 11 samples could not be used and are in no split; which and why: {failures}"
    assert f"warning: {warned}" in said.err and f"{warned}." in first
    assert "1011_DFA_HAP_XX" in failures.read_text()
    assert "training on cpu" in said.out and "fresh (the paper: EfficientFace)" in said.out
    assert [line for line in first if line.startswith("`random_80_20`: LEAK (allowed)")]
    second = table("it4")
    assert set(first) < set(second)
    rows = [line.split(" | ")[:3] for line in second if line.startswith("| `")]
    assert rows == [["| `figure`", "94.13", "94.67"], ["| `it4`", "71.50", ""]]
    results = json.loads((work / "cremad.json").read_text())
    for system in ("figure", "it4"):
        samples = {protocol: found["samples"] for protocol, found in results[system].items()}
        assert samples == {"random_80_20": 2, "apart": 2}


def test_a_refusal_of_prepare_ends_the_script(corpus, tmp_path, capfd):
    out = tmp_path / "prepared"
    options = ["--workers", "0", "--set", "crop_px=32"]
    assert paper_tables.prepare("cremad", corpus, out, options).startswith("1 of 11 samples")
    with pytest.raises(SystemExit, match="2"):
        paper_tables.prepare("cremad", corpus, out, ["--workers", "0", "--set", "crop_px=48"])
    assert "crop_px: 32 against 48" in capfd.readouterr().err


def test_a_corpus_without_a_readable_sample_ends_the_script(tmp_path, capfd):
    corpus = tmp_path / "CREMA-D"
    corpus.mkdir()
    (corpus / "1011_DFA_HAP_XX.wav").write_bytes(b"broken" * 100)
    with pytest.raises(SystemExit, match="2"):
        paper_tables.prepare("cremad", corpus, tmp_path / "prepared", ["--workers", "0"])
    assert "not one sample could be read" in capfd.readouterr().err
