"""Optimiser and learning rate over the steps of a run."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn

from avtca.training.config import Optimiser


def make_optimiser(network: nn.Module, recipe: Optimiser) -> torch.optim.Optimizer:
    """The optimiser; no weight decay on biases, norms and other vectors with AdamW.

    Adam and SGD decay every parameter, as the released recipes did.
    """
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.name == "sgd":
        return torch.optim.SGD(
            network.parameters(),
            rate,
            momentum=recipe.momentum,
            dampening=recipe.dampening,
            weight_decay=decay,
        )
    if recipe.name == "adam":
        return torch.optim.Adam(network.parameters(), rate, weight_decay=decay)
    return torch.optim.AdamW(_groups(network.parameters(), decay), rate)


def _groups(parameters: Iterable[nn.Parameter], decay: float) -> list[dict[str, object]]:
    every = [weight for weight in parameters if weight.requires_grad]
    return [
        {"params": [weight for weight in every if weight.ndim > 1], "weight_decay": decay},
        {"params": [weight for weight in every if weight.ndim <= 1], "weight_decay": 0.0},
    ]


def rate_factor(recipe: Optimiser, *, epochs: int, steps: int) -> Callable[[int], float]:
    """What multiplies the learning rate at each optimiser step; ``steps`` an epoch."""
    warm, total = round(recipe.warmup_epochs * steps), epochs * steps

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        if recipe.schedule == "cosine":
            done = (step - warm) / max(1, total - warm)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        if recipe.schedule == "step":
            return float(recipe.gamma ** sum(step >= at * steps for at in recipe.step_epochs))
        return 1.0

    return factor
