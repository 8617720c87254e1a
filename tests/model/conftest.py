"""Real samples for the networks."""

from pathlib import Path

import pytest
import real_samples
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
def feature_samples(ravdess: Path) -> tuple[ModelInput, Tensor]:
    """Sixteen real samples, log-mel and face series."""
    batch, codes = real_samples.feature_samples(ravdess, 16)
    return batch, torch.from_numpy(codes)


@pytest.fixture(scope="session")
def pixel_samples(ravdess: Path) -> ModelInput:
    """Two real samples, MFCC and 32 px crops."""
    return real_samples.pixel_samples(ravdess, 2, real_samples.pixels(32, 3))[0]
