import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from made_corpus import make_corpus, make_folds

from avtca.training.distributed import strategy

pytestmark = pytest.mark.slow


SCRIPT = Path(__file__).parents[1] / "helpers" / "two_processes.py"
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
LAUNCH += ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]  # takes a free port itself
LAUNCH += ["--local-addr=127.0.0.1"]


def test_two_processes_take_the_steps_of_one(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for start, name in (([sys.executable], "one"), (LAUNCH, "two")):
        done = subprocess.run(
            [*start, SCRIPT, tmp_path / name], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = (
        torch.load(tmp_path / name / "gradients.pt", weights_only=True) for name in ("one", "two")
    )
    assert len(one) == len(two) == 6
    assert one[0].keys() == two[0].keys()
    for name, gradient in one[0].items():
        scale = max(1e-3, float(gradient.abs().max()))
        torch.testing.assert_close(two[0][name], gradient, atol=1e-4 * scale, rtol=1e-4)
    a, b = (json.loads((tmp_path / name / "done.json").read_text()) for name in ("one", "two"))
    for first, second in zip(a["history"], b["history"], strict=True):
        assert second == pytest.approx(first, rel=2e-3, abs=2e-3)


def test_two_processes_cross_validate(tmp_path):
    make_corpus(tmp_path, samples=24)
    folds = make_folds(tmp_path / "folds.json")
    config = tmp_path / "made.yaml"
    sizes = {"video_widths": [8, 8, 8, 8], "audio_widths": [8, 8, 8, 8]}
    config.write_text(
        yaml.safe_dump(
            {
                "data": {"corpus": str(tmp_path / "prepared"), "folds": str(folds)},
                "model": {"variant": "video_only", "sizes": sizes},
                "train": {"epochs": 1, "batch_size": 4},
            }
        )
    )
    launch = [*LAUNCH, "--no-python", sys.executable, "-m", "avtca"]
    done = subprocess.run(
        [*launch, "cv", config, "--out", tmp_path / "cv", "--no-progress", "--threads", "1"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads((tmp_path / "cv" / "result.json").read_text())
    assert result["samples"] == 24
    assert done.stdout.count("result:") == 1


@pytest.mark.parametrize(
    ("device", "cards", "backend"),
    [("cpu", True, "gloo"), ("auto", True, "nccl"), ("auto", False, "gloo")],
)
def test_the_backend_is_the_devices(monkeypatch, device, cards, backend):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards)
    assert strategy(device)["strategy"].process_group_backend == backend
