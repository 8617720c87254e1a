"""The ensemble is the mean of its members' posteriors, in PyTorch and exported."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_spec import SPEC

from avtca.finetune.initial import load_initial_model
from avtca.model import Card, ModelConfig, build_model, load_checkpoint
from avtca.model.ensemble import Ensemble
from avtca.model.export_bundle import export_bundle
from avtca.preprocess import ModelInput
from avtca.runtime.backends import OnnxBackend
from avtca.runtime.bundle import PACKAGED, read_bundle

FINE = ("calm", "happy", "neutral", "sad")
SUMS = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
"""Of FINE onto the spec's happy, neutral and sad."""
SIZES = {"video_widths": (8, 8, 8, 8), "audio_widths": (8, 8, 8, 8)}


def networks(n, labels=FINE, variant="experts"):
    spec = replace(SPEC, labels=labels)
    out = []
    for seed in range(n):
        torch.manual_seed(seed)
        out.append(build_model(variant, ModelConfig.for_spec(spec, **SIZES)).eval())
    return out


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    heard = np.ones((4, SPEC.audio_steps), bool)
    heard[1] = False
    return ModelInput(
        rng.random((4, 8, 7), np.float32),
        np.ones((4, 8), bool),
        rng.standard_normal((4, 16, SPEC.audio_steps), np.float32),
        heard,
    )


def tensors(batch):
    parts = (batch.video, batch.audio, batch.video_mask, batch.audio_mask)
    return tuple(torch.from_numpy(part) for part in parts)


@torch.no_grad()
def test_the_mean_of_the_posteriors_with_labels_summed(batch):
    several = networks(3)
    posteriors = [network(*tensors(batch)).logits.softmax(1).numpy() for network in several]
    mean = np.mean(posteriors, axis=0)
    expected = np.stack((mean[:, 1], mean[:, 0] + mean[:, 2], mean[:, 3]), axis=1)
    ensemble = Ensemble(several, SUMS)(*tensors(batch)).logits
    np.testing.assert_allclose(ensemble.softmax(1), expected, atol=1e-6)
    np.testing.assert_allclose(ensemble.exp().sum(1), 1, atol=1e-6)
    own = Ensemble(several)(*tensors(batch)).logits
    np.testing.assert_allclose(own.softmax(1), mean, atol=1e-6)


@torch.no_grad()
def test_a_probability_of_zero_has_a_finite_logit(batch):
    (network,) = networks(1)
    network.auxiliary.audio.bias[0] = -1e4
    logits = Ensemble([network])(*tensors(batch)).logits
    assert torch.isfinite(logits).all() and logits[0].argmin() == 0


@pytest.mark.slow
@torch.no_grad()
def test_an_ensemble_is_exported_with_one_member_to_train(batch, tmp_path):
    several = networks(2, variant="mean_posterior")
    ensemble = Ensemble(several, SUMS).eval()
    card = Card(variant="mean_posterior", config=several[0].config, clip_spec=SPEC)
    face = PACKAGED / "face.onnx"
    with pytest.raises(ValueError, match="give start, the member that training starts from"):
        export_bundle(tmp_path / "x", name="x", fusion=ensemble, card=card, face=face)
    start = several[0], replace(SPEC, labels=FINE)
    export_bundle(tmp_path / "x", name="x", fusion=ensemble, card=card, start=start, face=face)
    backend = OnnxBackend(read_bundle(tmp_path / "x"), threads=1)
    assert backend.spec.labels == SPEC.labels
    np.testing.assert_allclose(
        backend.logits(batch), ensemble(*tensors(batch)).logits.numpy(), atol=1e-4
    )
    assert b'.py", line' not in (tmp_path / "x" / "fusion.onnx").read_bytes(), (
        "the exporter's paths"
    )
    network, saved = load_checkpoint(tmp_path / "x" / "fusion")
    assert saved.labels == FINE
    for name, value in several[0].state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value)
    assert load_initial_model(str(tmp_path / "x")).labels == FINE
