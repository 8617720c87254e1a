"""Video statistics: computed step by step, with masked steps, and in the product of experts."""

import numpy as np
import pytest
import torch

from avtca.errors import ConfigError
from avtca.model import ModelConfig, build_model
from avtca.model.video_statistics import VideoStatisticsHead

STEPS, PARTS = 12, 5


def drawn(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Three probabilities, two other features and one of the sample, ``(1, 12, 6)``, and a mask."""
    rng = np.random.default_rng(seed)
    features = np.hstack((rng.dirichlet((0.3, 1, 1), STEPS), rng.normal(0, 3, (STEPS, 3))))
    mask = np.ones(STEPS, bool)
    mask[[0, 4, 11]] = False
    return torch.from_numpy(features[None]).float(), torch.from_numpy(mask[None])


def box() -> VideoStatisticsHead:
    return VideoStatisticsHead(5, 4, n_segments=PARTS, probabilities=3)


def by_hand(features: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Step by step, from the first real one to the last, in plain words."""
    rows = np.hstack((np.log(np.maximum(features[:, :3], 1e-3)), features[:, 3:5]))
    real = np.flatnonzero(mask)
    place = (np.arange(len(rows)) - real[0]) * PARTS // (real[-1] + 1 - real[0])
    parts = [rows[mask & (place == k)].mean(0) for k in range(PARTS)]
    return np.concatenate((rows[mask].mean(0), rows[mask].std(0), *parts))


@pytest.mark.parametrize("seed", range(3))
def test_statistics_are_those_computed_step_by_step(seed):
    features, mask = drawn(seed)
    found = box().statistics(features[..., :5] * mask[..., None], mask)[0]
    assert np.allclose(found, by_hand(features[0].numpy(), mask[0].numpy()), atol=1e-3)


def test_what_is_not_real_and_what_is_of_the_sample_change_nothing():
    features, mask = drawn()
    other = torch.where(mask[..., None], features, 1e6)
    other[..., 5] = 7.0
    expert = box().eval()
    assert torch.equal(
        expert(features, mask)["video_statistics"], expert(other, mask)["video_statistics"]
    )


@pytest.mark.parametrize("real", [0, 1, 2])
def test_few_real_steps_give_finite_logits_and_none_gives_zeros(real):
    features, _ = drawn()
    found = box().eval()(features, torch.arange(STEPS)[None] < real)["video_statistics"]
    assert torch.isfinite(found).all() and bool((found == 0).all()) == (real == 0)


def test_it_is_one_of_the_experts_of_the_product():
    torch.manual_seed(0)
    sizes = {"video": "features", "video_dim": 6, "audio_dim": 40, "probabilities": 3}
    network = build_model(
        "experts", ModelConfig(**sizes, n_segments=PARTS, utterance_features=1)
    ).eval()
    features, mask = drawn()
    audio = torch.randn(1, 40, 30)
    out = network(features, audio, mask, None)
    experts = [
        out.expert_logits[name] for name in ("audio", "video", "video_statistics", "utterance")
    ]
    assert torch.allclose(out.logits, sum(x.log_softmax(1) for x in experts), atol=1e-5)
    blind = network(features, audio, torch.zeros_like(mask), None)
    assert torch.allclose(blind.logits, blind.expert_logits["audio"].log_softmax(1), atol=1e-5)


def test_where_it_cannot_be():
    sizes = {"video": "features", "video_dim": 6, "audio_dim": 40}
    with pytest.raises(ConfigError, match="n_segments 5 without a product of experts"):
        build_model("figure", ModelConfig(**sizes, n_segments=5))
    with pytest.raises(ConfigError, match="n_segments 5 with video='pixels'"):
        ModelConfig(n_segments=5)
    with pytest.raises(ConfigError, match="n_segments -1"):
        ModelConfig(**sizes, n_segments=-1)
