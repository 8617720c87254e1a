"""Real takes for the networks."""

from pathlib import Path

import pytest
import real_takes
import torch
from torch import Tensor

from avtca.preprocess import ModelInput


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def ravdess(corpora: Path) -> Path:
    return corpora / "ravdess"


@pytest.fixture(scope="session")
def feature_takes(ravdess: Path) -> tuple[ModelInput, Tensor]:
    """Sixteen real takes, log-mel and face series."""
    batch, codes = real_takes.feature_takes(ravdess, 16)
    return batch, torch.from_numpy(codes)


@pytest.fixture(scope="session")
def pixel_takes(ravdess: Path) -> ModelInput:
    """Two real takes, MFCC and 32 px crops."""
    return real_takes.pixel_takes(ravdess, 2, real_takes.pixels(32, 3))[0]
