import numpy as np
import pytest
import torch
from torch import nn

from avtca.training.config import Optimiser
from avtca.training.schedule import make_optimiser, rate_factor


def test_warm_up_then_cosine():
    factor = rate_factor(Optimiser(warmup_epochs=2), epochs=10, steps=5)
    found = [factor(step) for step in range(50)]
    np.testing.assert_allclose(found[:10], np.arange(1, 11) / 10)
    wanted = 0.5 * (1 + np.cos(np.pi * np.arange(40) / 40))
    np.testing.assert_allclose(found[10:], wanted)


def test_steps_after_whole_epochs():
    settings = Optimiser(schedule="step", step_epochs=(2, 4), gamma=0.5)
    factor = rate_factor(settings, epochs=6, steps=3)
    assert [factor(step) for step in range(18)] == [1.0] * 6 + [0.5] * 6 + [0.25] * 6


def test_constant():
    factor = rate_factor(Optimiser(schedule="constant"), epochs=6, steps=3)
    assert {factor(step) for step in range(18)} == {1.0}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_optimisers(name, kind):
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    settings = Optimiser(name=name, learning_rate=0.06, weight_decay=1e-3, dampening=0.9)
    optimiser = make_optimiser(network, settings)
    assert type(optimiser) is kind
    count = sum(w.numel() for group in optimiser.param_groups for w in group["params"])
    assert count == sum(w.numel() for w in network.parameters())
    decays = {w.ndim: g["weight_decay"] for g in optimiser.param_groups for w in g["params"]}
    assert decays[2] == 1e-3
    assert decays[1] == (0 if name == "adamw" else 1e-3)
    if name == "sgd":
        assert optimiser.param_groups[0]["dampening"] == 0.9
