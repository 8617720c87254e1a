"""As test_export.py, for networks that read pixels: a file of its own, for files are shared out
between the processes that test, and these sample minutes."""

from pathlib import Path

import pytest
from onnx_parity import parity
from test_export import check


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant", ["figure", "released", "no_channel", "no_spatial", "no_local", "experts"]
)
def test_every_network(variant: str, ravdess: Path) -> None:
    check(parity(variant, ravdess, video="pixels"))
