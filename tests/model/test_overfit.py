"""The smallest networks learn 16 real samples by heart; benchmarks/overfit.py does all of them."""

from pathlib import Path

import pytest
from overfit import overfit


@pytest.mark.parametrize("variant", ["video_only", "audio_only", "mean_posterior", "it4"])
def test_the_smallest_networks_learn_real_samples_by_heart(variant: str, ravdess: Path) -> None:
    result = overfit(variant, ravdess, limit_s=60)
    assert result["accuracy"] == 1.0 and result["parameters"] < 500_000


def test_the_measured_figures_are_all_hundreds() -> None:
    import json

    from avtca.model import VARIANTS

    path = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "overfit.json"
    rows = {row["variant"]: row for row in json.loads(path.read_text())["rows"]}
    assert set(rows) == set(VARIANTS)
    assert all(r["accuracy"] == 1.0 and r["cpu_seconds"] < 120 for r in rows.values())
