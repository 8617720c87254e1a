"""Light-ASD, converted from its published weights."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "light_asd.py"


@pytest.fixture(scope="session")
def script():
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    spec = importlib.util.spec_from_file_location("light_asd", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def model_file(script, shared, tmp_path_factory):
    weights = shared / "weights" / "light_asd" / "pretrain_AVA_CVPR.model"
    if not weights.is_file():
        pytest.skip(f"no weights of Light-ASD at {weights}")
    path = tmp_path_factory.mktemp("asd") / "light_asd.onnx"
    script.write(script.read(weights), path)
    return path
