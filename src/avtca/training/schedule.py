"""Optimiser and learning rate schedule."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn

from avtca.training.config import Optimiser


def make_optimiser(network: nn.Module, config: Optimiser) -> torch.optim.Optimizer:
    """The optimiser of a network.

    AdamW does not decay biases, norms and other vectors. Adam and SGD decay every parameter, as in
    the released code.
    """
    rate, decay = config.learning_rate, config.weight_decay
    if config.name == "sgd":
        return torch.optim.SGD(
            network.parameters(),
            rate,
            momentum=config.momentum,
            dampening=config.dampening,
            weight_decay=decay,
        )
    if config.name == "adam":
        return torch.optim.Adam(network.parameters(), rate, weight_decay=decay)
    return torch.optim.AdamW(_groups(network.parameters(), decay), rate)


def _groups(parameters: Iterable[nn.Parameter], decay: float) -> list[dict[str, object]]:
    every = [weight for weight in parameters if weight.requires_grad]
    return [
        {"params": [weight for weight in every if weight.ndim > 1], "weight_decay": decay},
        {"params": [weight for weight in every if weight.ndim <= 1], "weight_decay": 0.0},
    ]


def rate_factor(config: Optimiser, *, epochs: int, steps: int) -> Callable[[int], float]:
    """The factor of the learning rate as a function of the step, with ``steps`` steps per epoch."""
    warm, total = round(config.warmup_epochs * steps), epochs * steps

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        if config.schedule == "cosine":
            done = (step - warm) / max(1, total - warm)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        if config.schedule == "step":
            return float(config.gamma ** sum(step >= at * steps for at in config.step_epochs))
        return 1.0

    return factor
