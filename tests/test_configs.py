"""What the comments of the configurations tell users to type can be typed, and fits them."""

import re
import shlex
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer

from avtca.cli import build_app
from avtca.cli.prepare import read_spec
from avtca.corpora import build_cache, index_corpus
from avtca.errors import ClipSpecMismatch
from avtca.training.config_file import load_experiment
from avtca.training.fold import load_data_module

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
FILES = sorted(CONFIGS.rglob("*.yaml"))
COMMANDS = typer.main.get_command(build_app()).commands
AUDIO = {"audio": "mfcc", "audio_dim": 10, "n_fft": 2048, "hop": 512}
"""Fields that a run may change on a corpus that was prepared without them."""


def comments(path):
    return [line for line in path.read_text().splitlines() if line.startswith("#")]


def commands(path):
    """Each `# Word: avtca ...`: the words after avtca."""
    for line in comments(path):
        if found := re.match(r"# [\w ]+: avtca (.+)$", line):
            yield shlex.split(found[1])


def changes(words):
    return [words[at + 1] for at, word in enumerate(words) if word == "--set"]


@pytest.fixture(autouse=True)
def in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_commands_in_comments_can_be_typed(path):
    for name, *words in commands(path):
        parsed = COMMANDS[name].make_context(name, list(words)).params
        if config := parsed.get("config"):
            load_experiment(config, changes(words))
        if name == "prepare":
            read_spec(parsed["spec"], changes(words))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_no_command_stands_where_it_is_not_checked(path):
    said = [line for line in comments(path) if re.search(rf"avtca ({'|'.join(COMMANDS)})\b", line)]
    assert len(said) == len(list(commands(path)))
    for line in comments(path):
        if "--set" in line and "avtca" not in line:
            load_experiment(path, changes(shlex.split(line, comments=False)))


def prepared_as(path):
    """Folder and ClipSpec that the Data line of a configuration prepares, its own or another's."""
    for name, *words in commands(path):
        if name == "prepare":
            parsed = COMMANDS[name].make_context(name, list(words)).params
            return parsed["out"], read_spec(parsed["spec"], changes(words))
    base = re.search(r"^extends: (\S+)", path.read_text(), re.M)
    other = re.search(r"^# Data: as of (\S+)", path.read_text(), re.M)
    if other:
        assert base and other[1] == base[1], f"{path}: {other[1]} is not what it extends"
    assert base, f"{path}: no Data line says how its corpus is prepared"
    return prepared_as((path.parent / base[1]).resolve())


@pytest.mark.parametrize("corpus", ["ravdess", "cremad", "mosei", "emodb"])
def test_a_folder_is_prepared_in_one_way_and_serves_all_who_name_it(corpus):
    specs = {}
    for path in sorted((CONFIGS / corpus).rglob("*.yaml")):
        experiment = load_experiment(path)
        folder, spec = prepared_as(path)
        assert folder == experiment.data.corpus, f"{path}: nothing prepares it"
        assert specs.setdefault(folder, spec) == spec, f"{path}: {folder} is prepared otherwise"
        wanted = experiment.input.over(spec)
        assert replace(wanted, **AUDIO) == replace(spec, **AUDIO), path


@pytest.mark.parametrize("others", ["cremad/5fold", "cremad/paper_random_80_20"])
def test_crema_d_prepared_for_other_windows_is_refused(others, tmp_path):
    mine = {"cremad/5fold", "cremad/paper_random_80_20"} - {others}
    _, spec = prepared_as(CONFIGS / f"{others}.yaml")
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
