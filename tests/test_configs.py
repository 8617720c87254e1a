"""The configurations: the commands they name work, and each of them trains on data of its form."""

import re
import shlex
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from avtca.cli import build_app
from avtca.cli.prepare import read_spec
from avtca.corpora import build_cache, index_corpus
from avtca.errors import ClipSpecMismatch, ConfigError
from avtca.synthetic.corpus import synth_corpus
from avtca.training.config_file import load_experiment
from avtca.training.fold import load_data_module

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
FILES = sorted(CONFIGS.rglob("*.yaml"))
EXPERIMENTS = sorted(p for p in CONFIGS.glob("*/*.yaml") if p.parent.name != "recipes")
COMMANDS = typer.main.get_command(build_app()).commands
AUDIO = {"audio": "mfcc", "audio_dim": 10, "n_fft": 2048, "hop": 512}
"""Fields that a run may change on a corpus that was prepared without them."""


def name_of(path):
    return str(path.relative_to(CONFIGS))


def comments(path):
    return [line for line in path.read_text().splitlines() if line.startswith("#")]


def commands(path):
    """Each `# Word: avtca ...` of the comments, and the command that prepares the corpus."""
    for line in comments(path):
        if found := re.match(r"# [\w -]+: avtca (.+)$", line):
            yield shlex.split(found[1])
    data = yaml.safe_load(path.read_text()).get("data", {})
    if "prepare" in data:
        yield shlex.split(data["prepare"])[1:]


def changes(words):
    return [words[at + 1] for at, word in enumerate(words) if word == "--set"]


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_commands_can_be_typed(path):
    for name, *words in commands(path):
        if "FILE" in " ".join(words):
            continue
        parsed = COMMANDS[name].make_context(name, list(words)).params
        if config := parsed.get("config"):
            load_experiment(config, changes(words))
        if name == "prepare":
            read_spec(parsed["spec"], changes(words))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_command_in_a_comment_is_checked(path):
    found = [line for line in comments(path) if re.search(rf"avtca ({'|'.join(COMMANDS)})\b", line)]
    checked = [words for words in commands(path) if words[0] != "prepare"]
    assert len(found) == len(checked)


def prepared_by(path):
    """Folder and ClipSpec of the command that prepares the corpus of a configuration."""
    name, *words = shlex.split(load_experiment(path).data.prepare)[1:]
    parsed = COMMANDS[name].make_context(name, list(words)).params
    return parsed["out"], read_spec(parsed["spec"], changes(words))


@pytest.mark.parametrize("corpus", ["ravdess", "ravdess_sequences", "cremad", "mosei", "emodb"])
def test_a_folder_is_prepared_in_one_way_and_serves_all_configurations(corpus):
    specs = {}
    for path in sorted((CONFIGS / corpus).glob("*.yaml")):
        experiment = load_experiment(path)
        folder, spec = prepared_by(path)
        assert folder == experiment.data.corpus, f"{path}: nothing prepares it"
        assert specs.setdefault(folder, spec) == spec, f"{path}: {folder} is prepared otherwise"
        wanted = experiment.input.over(spec)
        assert replace(wanted, **AUDIO) == replace(spec, **AUDIO), path


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name_of)
def test_a_missing_corpus_is_refused_with_the_command_that_prepares_it(path, tmp_path):
    experiment = load_experiment(path, [f"data.corpus={tmp_path / 'none'}"])
    with pytest.raises(ConfigError) as refused:
        load_data_module(experiment)
    assert refused.value.fix == f"run first: {experiment.data.prepare}"
    assert "avtca prepare" in experiment.data.prepare


@pytest.mark.parametrize("others", ["cremad/5fold", "cremad/paper_random_80_20"])
def test_crema_d_prepared_for_other_windows_is_refused(others, tmp_path):
    mine = {"cremad/5fold", "cremad/paper_random_80_20"} - {others}
    _, spec = prepared_by(CONFIGS / f"{others}.yaml")
    spec = replace(spec, crop_px=32)
    clip = tmp_path / "CREMA-D" / "1001_DFA_ANG_XX.wav"
    clip.parent.mkdir()
    with wave.open(str(clip), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(0).bytes(32_000))
    build_cache(index_corpus("cremad", clip.parent, spec), tmp_path / "out", spec)
    changes = [f"data.corpus={tmp_path / 'out'}"]
    with pytest.raises(ClipSpecMismatch, match=r"window_s: .* against .*video_steps: "):
        load_data_module(load_experiment(CONFIGS / f"{mine.pop()}.yaml", changes))
    assert len(load_data_module(load_experiment(CONFIGS / f"{others}.yaml", changes)).dataset) == 1


LAYOUTS = {"ravdess": 24, "ravdess_sequences": 24, "cremad": 12, "mosei": 8, "emodb": 10}
"""Folder of configurations -> speakers, enough for every subset of its folds."""
TINY = {"seconds": 0.6, "size": (96, 96), "fps": 10, "workers": 1}


def run(*words):
    found = CliRunner().invoke(build_app(), [str(word) for word in words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Prepares a synthetic corpus by the command of a configuration, in crops of 32 px."""
    root = tmp_path_factory.mktemp("made")

    def prepare(path):
        corpus, experiment = path.parent.name, load_experiment(path)
        media, out = root / "media" / corpus, root / experiment.data.corpus.name
        if not media.exists():
            layout = "sequences" if corpus == "ravdess_sequences" else corpus
            speakers = LAYOUTS[corpus]
            synth_corpus(media, max(24, 2 * speakers), speakers, 0, layout=layout, **TINY)
        if not out.exists():
            text = experiment.data.prepare.replace("FOLDER", str(media))
            words = shlex.split(text.replace(str(experiment.data.corpus), str(out)))[1:]
            run(*words, "--set", "crop_px=32", "--workers", 0)
        return out

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=name_of)
def test_every_configuration_runs_for_a_step_on_made_data(path, prepared, tmp_path):
    small = [f"data.corpus={prepared(path)}", "train.batch_size=4", "train.workers=0"]
    changes = [word for change in small for word in ("--set", change)]
    printed = run("cv", path, *changes, "--dry-run", "--out", tmp_path / "run").splitlines()
    assert re.fullmatch(
        r"dry run: (a step|2 steps) of 4 samples and a validation took \d+\.\d s; test and "
        r"checkpoint work, nothing was written",
        printed[0],
    )
    experiment = load_experiment(path)
    steps, epochs, runs, total = map(
        int, re.findall(r"[\d]+", printed[1].replace(",", "")[len("whole training: ") :])
    )
    assert epochs == experiment.train.epochs and runs % len(experiment.seeds) == 0
    assert total == steps * epochs * runs and list(tmp_path.iterdir()) == []


def test_the_dry_run_refuses_what_the_run_would(prepared, tmp_path):
    path = CONFIGS / "ravdess_sequences" / "luna_5fold.yaml"
    words = ["cv", path, "--set", f"data.corpus={prepared(path)}", "--dry-run", "--out", tmp_path]
    (tmp_path / "config.json").write_text('{"config": {"train": {"epochs": 1}}, "data": {}}')
    with pytest.raises(ConfigError, match="existing run uses different settings"):
        run(*words)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ConfigError, match="it has no effect: the network has no video branch"):
        run(*words, "--set", "model.variant=audio_only")
