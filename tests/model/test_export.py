"""torch.export and ONNX give what eager PyTorch gives, on real samples, for any batch."""

from pathlib import Path

import pytest
import torch
from onnx_parity import EXPERTS, parity
from real_samples import FEATURES

from avtca.model import VARIANTS, ModelConfig, build_model
from avtca.model.export import export_onnx, export_program

SEQUENCES = [name for name in VARIANTS if not name.startswith("no_")]
"""Networks that read features; those that read pixels are in test_export_pixels.py."""


def check(row: dict[str, float]) -> None:
    assert row["torch_export"] < 1e-4 and row["onnxruntime"] < 1e-4 and row["attention"] < 1e-4
    assert row["logits_std"] > 1e-3


def test_a_network_with_its_attention_maps(ravdess: Path) -> None:
    check(parity("it1", ravdess))


def test_a_network_with_experts_for_voice_and_face(ravdess: Path) -> None:
    check(parity("experts", ravdess, video=EXPERTS))


@pytest.mark.slow
@pytest.mark.parametrize("variant", SEQUENCES)
def test_every_network(variant: str, ravdess: Path) -> None:
    check(parity(variant, ravdess))


def test_a_network_in_training_is_not_exported(tmp_path: Path) -> None:
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
