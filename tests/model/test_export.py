"""torch.export and ONNX give the outputs of eager PyTorch, on real samples, for any batch size.

The exporter's time depends on the number of layers, so pixel networks have short trunks here;
benchmarks/onnx_parity.py measures the full ones.
"""

from pathlib import Path

import pytest
import torch
from onnx_parity import EXPERTS, PIXELS, parity
from real_samples import FEATURES

from avtca.model import VARIANTS, ModelConfig, build_model
from avtca.model.export import export_onnx, export_program

SAME_GRAPH = ("it4_ct4", "it1", "ct1")
"""`figure` by another name, and halves of `it1_ct1`, of which `it4` and `ct4` have the graphs."""
SEQUENCES = [name for name in VARIANTS if not name.startswith("no_") and name not in SAME_GRAPH]
"""Variants that can read features, one for each graph."""
WITHOUT = [name for name in PIXELS if name.startswith("no_")]


def check(row: dict[str, float]) -> None:
    assert row["torch_export"] < 1e-4 and row["onnxruntime"] < 1e-4 and row["attention"] < 1e-4
    assert row["logits_std"] > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("variant", SEQUENCES)
def test_networks_on_features(variant: str, ravdess: Path) -> None:
    """`figure` with attention maps as outputs."""
    check(parity(variant, ravdess))


@pytest.mark.slow
def test_a_network_with_statistics_heads(ravdess: Path) -> None:
    check(parity("experts", ravdess, video=EXPERTS))


@pytest.mark.slow
@pytest.mark.parametrize("variant", [name for name in PIXELS if name not in WITHOUT])
def test_networks_on_pixels(variant: str, ravdess: Path) -> None:
    units = (1, 1, 1) if variant == "released" else (1, 1)
    check(parity(variant, ravdess, video="pixels", trunk={"units": units, "width": 32}))


@pytest.mark.slow
@pytest.mark.parametrize("variant", WITHOUT)
def test_trunks_without_a_part(variant: str, ravdess: Path) -> None:
    """The trunk alone with its classifier; what follows is that of `figure`."""
    trunk = {**VARIANTS[variant].trunk, "units": (1, 1), "width": 32}
    check(parity("video_only", ravdess, video="pixels", trunk=trunk))


def test_a_network_in_training_mode_is_not_exported(tmp_path: Path) -> None:
    model = build_model("video_only", ModelConfig.for_spec(FEATURES))
    with pytest.raises(ValueError, match="evaluation mode"):
        export_onnx(model, FEATURES, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())
    out = export_program(model.eval(), FEATURES).module()(
        torch.rand(5, 36, 7),
        torch.randn(5, 64, 361),
        torch.ones(5, 36, dtype=torch.bool),
        torch.ones(5, 361, dtype=torch.bool),
    )
    assert out[0].shape == (5, 8)
