"""Fixtures that every test can use."""

import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # some tests import onnxruntime first
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Shells start background jobs deaf to Ctrl-C, and children inherit that; tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and corpora, or a skip that says why."""
    root = Path(os.environ.get("AVTCA_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (root / "corpora").is_dir():
        pytest.skip(f"real data not at {root}; set AVTCA_SHARED")
    return root


@pytest.fixture(scope="session")
def sample_clips(shared: Path) -> Path:
    """The sample clips."""
    return shared / "samples"


@pytest.fixture(scope="session")
def corpora(shared: Path) -> Path:
    """The corpora."""
    return shared / "corpora"
