from pathlib import Path

import pytest
import yaml
from configuration_keys import reference

from avtca.clipspec import ClipSpec
from avtca.corpora import fold_names
from avtca.corpora.splits import RANDOM_SPLIT
from avtca.data.augment_config import Augmentation
from avtca.errors import ConfigError
from avtca.model import ModelConfig, build_model
from avtca.training.config import Optimiser
from avtca.training.config_file import load_experiment

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted(p for p in CONFIGS.glob("*/*.yaml") if p.parent.name != "recipes")
SWEEP = yaml.safe_load((CONFIGS / "sweep.yaml").read_text())
MINIMAL = {"data": {"corpus": "x", "folds": "ravdess_6fold"}, "model": {"variant": "figure"}}


@pytest.fixture
def minimal(tmp_path):
    path = tmp_path / "minimal.yaml"
    path.write_text(yaml.safe_dump(MINIMAL))
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(CONFIGS)))
def test_every_configuration_is_valid_and_has_a_purpose(path):
    experiment = load_experiment(path)
    head = path.read_text().splitlines()[:3]
    assert [line.split(":")[0] for line in head] == ["# Purpose", "# Command", "# Cost"]
    assert head[1].endswith(str(path.relative_to(CONFIGS.parent)))
    assert experiment.data.folds in [*fold_names(), RANDOM_SPLIT]
    assert experiment.data.allow_leak == ("random" in experiment.data.folds)
    spec = ClipSpec(labels=("a", "b"))
    if path.with_name("clipspec.json").exists() or "sequences" in str(path):
        dim = 7 + experiment.model.sizes.get("utterance_features", 0)
        spec = ClipSpec(video="features", video_features="x", video_dim=dim, labels=("a", "b"))
    network = build_model(
        experiment.model.variant, ModelConfig.for_spec(spec, **experiment.model.sizes)
    )
    assert sum(weights.numel() for weights in network.parameters()) > 1000


@pytest.mark.parametrize("file", SWEEP)
def test_every_network_of_the_sweep_is_valid(file):
    for network, changes in SWEEP[file].items():
        assert load_experiment(CONFIGS / file, changes).model.variant == network


def test_the_sweep_has_every_network_of_table_v():
    for corpus in ("ravdess", "cremad", "mosei"):
        networks = set(SWEEP[f"{corpus}/paper_random_80_20.yaml"])
        assert {"figure", "it1", "it4", "ct1", "ct4", "it1_ct1"} <= networks


@pytest.mark.parametrize(
    ("name", "own"),
    [("ravdess/paper_random_80_20", True), ("ravdess_sequences/paper_recipe", False)],
)
def test_the_papers_settings(name, own):
    settings = load_experiment(CONFIGS / f"{name}.yaml").train
    adam = Optimiser(name="adam", learning_rate=0.01, weight_decay=1e-3, schedule="constant")
    assert settings.optimiser == adam
    assert (settings.batch_size, settings.epochs) == (8, 128)
    # Nothing of ours on top of it; pixels: the flips and turns of the authors' code.
    assert settings.augmentation == Augmentation(crop="middle", pixels=own)
    assert settings.modality_dropout.mode == "none"
    assert (settings.label_smoothing, settings.ema, settings.auxiliary_weight) == (0, 0, 0)


def test_all_errors_at_once_with_the_nearest_name(minimal):
    changes = [
        "train.epocs=3",
        "train.optimiser.learning_rat=1",
        "model.variant=figur",
        "model.sizes.headz=2",
        "train.batch_size=-1",
        "dat.x=1",
    ]
    with pytest.raises(ConfigError) as found:
        load_experiment(minimal, changes)
    text = str(found.value)
    for words in (
        "5 errors",
        "train: unknown key 'epocs', did you mean 'epochs'?",
        "train.optimiser: unknown key 'learning_rat', did you mean 'learning_rate'?",
        "did you mean 'figure'?",
        "train.batch_size: Input should be greater than 0",
        "unknown key 'dat', did you mean 'data'?",
    ):
        assert words in text, words
    assert "\n" not in text


def test_unknown_sizes(minimal):
    with pytest.raises(ConfigError, match="unknown key 'headz', did you mean 'heads'"):
        load_experiment(minimal, ["model.sizes.headz=2"])


def test_values_of_the_wrong_kind_are_named_together(minimal):
    changes = [
        "model.sizes={heads: abc, video_widths: 8, n_labels: 7}",
        "input.hop=0",
        "seeds=[1, -1]",
    ]
    with pytest.raises(ConfigError) as found:
        load_experiment(minimal, changes)
    for words in (
        "3 errors",
        "sizes.heads 'abc'",
        "sizes.video_widths 8",
        "sizes.n_labels follows from the data",
        "input.hop: Input should be greater than 0",
        "seeds.1: Input should be greater than or equal to 0",
    ):
        assert words in str(found.value), words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["seeds=[1, 1]"], "a seed is named twice"),
        (
            ["train.augmentation={crop: false, crop_slack_s: 0.5}"],
            "no effect without a random crop",
        ),
        (["train.augmentation.mixup=0.2", "train.batch_size=1"], "mixup mixes samples of a batch"),
    ],
)
def test_what_could_never_have_an_effect(minimal, changes, words):
    with pytest.raises(ConfigError, match=words):
        load_experiment(minimal, changes)


def test_set_changes_a_nested_key(minimal):
    experiment = load_experiment(minimal, ["train.optimiser.learning_rate=2e-3", "seeds=[4, 5]"])
    assert experiment.train.optimiser.learning_rate == 2e-3
    assert experiment.seeds == (4, 5)
    assert experiment.name == "minimal"


@pytest.mark.parametrize("change", ["train.epochs", "=3", "name.deeper=1"])
def test_set_that_is_none(minimal, change):
    with pytest.raises(ConfigError):
        load_experiment(minimal, [change])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["train.optimiser.schedule=step"], "no effect without step_epochs"),
        (
            ["train.optimiser.schedule=step", "train.optimiser.step_epochs=[90]"],
            "would never step at epoch 90: the run has 40 epochs",
        ),
        (["train.optimiser.step_epochs=[9]"], "no effect on schedule 'cosine'"),
        (["train.optimiser.warmup_epochs=40"], "never ends"),
        (
            ["train.modality_dropout={form: whole, audio: 0, video: 0}"],
            "'whole' has no effect with probability 0",
        ),
        (["train.loss=binary", "train.label_smoothing=0.1"], "label smoothing is for"),
        (["train.loss=l1"], "data.target 'label' does not fit train.loss 'l1'"),
        (["data.target=sentiment"], "'sentiment' does not fit train.loss 'cross_entropy'; sent"),
        (
            ["data.target=sentiment", "train.loss=l1", "train.class_weights=true"],
            "class_weights has no effect on loss 'l1'",
        ),
        (["train.metric=none", "train.patience=3"], "patience needs a validation metric"),
    ],
)
def test_what_could_never_work_is_refused(minimal, changes, words):
    with pytest.raises(ConfigError, match=words):
        load_experiment(minimal, changes)


def test_files_extend_files(tmp_path):
    (tmp_path / "base.yaml").write_text(yaml.safe_dump({**MINIMAL, "train": {"epochs": 7}}))
    child = tmp_path / "child.yaml"
    child.write_text("extends: base.yaml\ntrain: {batch: 4}\n")
    experiment = load_experiment(child)
    assert (experiment.train.epochs, experiment.train.batch_size) == (7, 4)
    child.write_text("extends: child.yaml\n")
    with pytest.raises(ConfigError, match="extends itself"):
        load_experiment(child)


@pytest.mark.parametrize("text", ["a: [", "- 1", ""])
def test_files_that_are_no_configuration(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_experiment(path)
    with pytest.raises(ConfigError, match="No such file"):
        load_experiment(tmp_path / "missing.yaml")


def test_the_page_of_all_keys_is_what_the_code_gives():
    page = CONFIGS.parent / "docs" / "configuration.md"
    assert page.read_text() == reference() + "\n", (
        "python docs/configuration_keys.py > docs/configuration.md"
    )


def test_every_key_is_documented():
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert all(len(line.split(" | ")[-1]) > 10 for line in rows)
    assert sum("`train.optimiser.warmup_epochs`" in line for line in rows) == 1
