import pytest
import yaml
from typer.testing import CliRunner

from avtca.cli import build_app
from avtca.errors import ConfigError, LeakError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from made_corpus import make_corpus, make_folds

    out = tmp_path_factory.mktemp("commands")
    make_corpus(out)
    make_folds(out / "folds.json")
    make_folds(out / "leak.json", leak=True)
    values = {
        "data": {"corpus": str(out / "prepared"), "folds": str(out / "folds.json")},
        "model": {
            "variant": "video_only",
            "sizes": {"video_widths": [8, 8, 8, 8], "audio_widths": [8, 8, 8, 8]},
        },
        "train": {"epochs": 2, "batch": 8},
    }
    (out / "small.yaml").write_text(yaml.safe_dump(values))
    return out


def call(*words):
    return CliRunner().invoke(build_app(), [str(word) for word in words])


def test_train_writes_a_run_with_logs(folder, tmp_path):
    words = ["train", folder / "small.yaml", "--out", tmp_path, "--threads", "1"]
    done = call(*words, "--set", "train.epochs=1", "--set", "data.fold=2")
    assert done.exit_code == 0, done.output
    assert "validation (epoch 1): accuracy" in done.output and "test: accuracy" in done.output
    names = {path.name for path in tmp_path.iterdir()}
    assert {"config.json", "run.json", "metrics.csv", "test.csv", "best.safetensors"} <= names
    assert list((tmp_path / "board").glob("events*"))


def test_cv_shows_one_table(folder, tmp_path):
    done = call("cv", folder / "small.yaml", "--out", tmp_path, "--no-progress")
    assert done.exit_code == 0, done.output
    assert "sd over folds" in done.output and "accuracy" in done.output
    assert (tmp_path / "result.json").exists()


def test_robustness_writes_curves(folder, tmp_path):
    run = tmp_path / "run"
    assert call("train", folder / "small.yaml", "--out", run, "--no-board").exit_code == 0
    out = tmp_path / "out"
    words = ["robustness", run, folder / "prepared", "--condition", "length", "--out", out]
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {"robustness.json", "robustness.html"}


def test_mistakes_are_named(folder, tmp_path):
    done = call("train", folder / "small.yaml", "--set", "train.epocs=1", "--out", tmp_path)
    assert isinstance(done.exception, ConfigError)
    assert "did you mean 'epochs'?" in str(done.exception)
    leak = f"data.folds={folder / 'leak.json'}"
    done = call("train", folder / "small.yaml", "--set", leak, "--out", tmp_path)
    assert isinstance(done.exception, LeakError)
    assert not list(tmp_path.iterdir())
