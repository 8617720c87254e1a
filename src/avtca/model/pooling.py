"""Figure, step 8: "max pool over time", and other poolings of tokens to one vector.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width. The vector of an empty stream is zero.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from avtca.model.streams import Stream, masked_softmax


class MaxPool(nn.Module):
    """Maximum over real steps: ``(b, t, d) -> (b, d)``."""

    def forward(self, x: Stream) -> Tensor:
        """The pooled vector."""
        lowest = torch.finfo(x.tokens.dtype).min
        largest = x.tokens.masked_fill(~x.mask[..., None], lowest).amax(dim=1)
        return torch.where(x.present[:, None], largest, torch.zeros_like(largest))


class MeanPool(nn.Module):
    """Mean over real steps, as in the released code: ``(b, t, d) -> (b, d)``."""

    def forward(self, x: Stream) -> Tensor:
        """The pooled vector."""
        return x.tokens.sum(dim=1) / x.mask.sum(dim=1, keepdim=True).clamp(min=1)


class AttentivePool(nn.Module):
    """Mean weighted by the softmax of a learned score over real steps: ``(b, t, d) -> (b, d)``."""

    def __init__(self, d: int, *, hidden: int = 64) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(d, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False)
        )

    def forward(self, x: Stream) -> Tensor:
        """The pooled vector."""
        weights = masked_softmax(self.score(x.tokens)[..., 0], x.mask)
        return (weights[:, None] @ x.tokens)[:, 0]


def pooling(kind: Literal["max", "mean", "attentive"], d: int) -> nn.Module:
    """The pooling module ``kind`` for tokens of width ``d``."""
    return AttentivePool(d) if kind == "attentive" else {"max": MaxPool, "mean": MeanPool}[kind]()
