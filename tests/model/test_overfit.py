"""The smallest network learns 16 real takes by heart; benchmarks/overfit.py does all of them."""

from pathlib import Path

from overfit import overfit


def test_the_smallest_network_learns_real_takes_by_heart(ravdess: Path) -> None:
    result = overfit("video_only", ravdess, limit_s=60)
    assert result["accuracy"] == 1.0 and result["parameters"] < 110_000


def test_the_measured_figures_are_all_hundreds() -> None:
    import json

    from avtca.model import VARIANTS

    path = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "overfit.json"
    rows = {row["variant"]: row for row in json.loads(path.read_text())["rows"]}
    assert set(rows) == set(VARIANTS)
    assert all(r["accuracy"] == 1.0 and r["cpu_seconds"] < 120 for r in rows.values())
