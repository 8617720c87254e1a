"""Figure, step 8: "max pool over time", and the other ways to make one vector of tokens.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width. An empty stream gives zeros.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from avtca.model.streams import Stream, masked_softmax


class MaxPool(nn.Module):
    """Largest value of each channel over real steps: ``(b, t, d) -> (b, d)``."""

    def forward(self, x: Stream) -> Tensor:
        """Figure, step 8."""
        lowest = torch.finfo(x.tokens.dtype).min
        largest = x.tokens.masked_fill(~x.mask[..., None], lowest).amax(dim=1)
        return torch.where(x.present[:, None], largest, torch.zeros_like(largest))


class MeanPool(nn.Module):
    """Mean over real steps: ``(b, t, d) -> (b, d)``; the released code's pooling."""

    def forward(self, x: Stream) -> Tensor:
        """Released code, in place of step 8."""
        return x.tokens.sum(dim=1) / x.mask.sum(dim=1, keepdim=True).clamp(min=1)


class AttentivePool(nn.Module):
    """A learned score for each step, softmax over real steps, weighted mean."""

    def __init__(self, d: int, *, hidden: int = 64) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(d, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False)
        )

    def forward(self, x: Stream) -> Tensor:
        """An option of ``best``, in place of step 8."""
        weights = masked_softmax(self.score(x.tokens)[..., 0], x.mask)
        return (weights[:, None] @ x.tokens)[:, 0]


def pooling(kind: Literal["max", "mean", "attentive"], d: int) -> nn.Module:
    """The pooling of that name for tokens ``d`` wide."""
    return AttentivePool(d) if kind == "attentive" else {"max": MaxPool, "mean": MeanPool}[kind]()
