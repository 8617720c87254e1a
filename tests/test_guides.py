"""The guides run as they are written, and print what they show."""

import sys
from pathlib import Path

import pytest
from walkthrough import files_of, normalised, run, steps_of

from avtca.synthetic.layouts import synth_samples

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    path, modules = [*sys.path], {*sys.modules}
    yield tmp_path
    sys.path[:] = path
    for name in {*sys.modules} - modules:
        if name.startswith("my_"):
            del sys.modules[name]


def save_files(page, folder):
    for name, text in files_of(page).items():
        (folder / name).write_text(text)


@pytest.mark.slow
@pytest.mark.timeout(900)  # 40 s of one processor, on a busy machine
@pytest.mark.parametrize("name", ["add_a_network.md", "add_a_corpus.md"])
def test_a_guide_runs_as_written(name, workplace):
    save_files(DOCS / name, workplace)
    steps = steps_of(DOCS / name)
    for step in steps:
        printed = [run(command) for command in step.commands]
        if step.shown:
            assert normalised(printed[-1]) == normalised(step.shown), step.commands
    assert sum(bool(step.shown) for step in steps) >= 2


@pytest.mark.slow
@pytest.mark.timeout(900)  # 40 s of one processor, on a busy machine
def test_the_day_of_the_network_guide_on_real_sequences(workplace, corpora):
    """The same commands on the samples of RAVDESS whose names `avtca synth` gives."""
    page = DOCS / "add_a_network.md"
    save_files(page, workplace)
    (workplace / "made" / "audio").mkdir(parents=True)
    for name in ("face_sequences.npz", "action_units_clip.csv"):
        (workplace / "made" / name).symlink_to(corpora / "ravdess" / name)
    for sample in synth_samples(96, 12, "sequences"):
        (workplace / "made" / sample.audio).symlink_to(corpora / "ravdess" / sample.audio)
    for step in steps_of(page):
        commands = [command for command in step.commands if " synth " not in command]
        printed = [run(command) for command in commands]
        shown = [line for line in step.shown.splitlines() if "SYNTHETIC" not in line]
        if step.shown and "audit" not in commands[-1]:
            assert normalised(printed[-1]).split() == normalised("\n".join(shown)).split()
