"""The smallest networks overfit 16 real samples; benchmarks/overfit.py trains all of them."""

from pathlib import Path

import pytest
from overfit import overfit


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["video_only", "audio_only", "mean_posterior", "it4"])
def test_the_smallest_networks_overfit_real_samples(variant: str, ravdess: Path) -> None:
    result = overfit(variant, ravdess, limit_s=60)
    assert result["accuracy"] == 1.0 and result["parameters"] < 500_000
