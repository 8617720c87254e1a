"""Figure, steps 1, 3 and 5: "conv 3 -> batch norm, ReLU (, max pool)" over time, twice.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from avtca.model.masked_norm import MaskedBatchNorm
from avtca.model.streams import Stream, zero_masked

Pool = Literal["none", "halve", "slide"]
"""Max pool over 2 steps: none, with stride 2 (a last odd step is kept), or with stride 1."""


class TemporalConv(nn.Module):
    """Convolution of width 3 over time, batch norm, ReLU and an optional max pool.

    ``(b, t, d_in) -> (b, t', d_out)``. Batch norm computes its statistics over real steps only.

    Args:
        d_in: Width of the input tokens.
        d_out: Width of the output tokens.
        padding: With "same" the mask is unchanged and masked neighbours count as zeros. With
            "valid" (the released audio branch) a step is real if its whole receptive field is.
        pool: With "halve" a pooled step is real if one of its pair is, with "slide" if both are.
        bias: Whether the convolution has a bias.
    """

    def __init__(
        self,
        d_in: int,
        d_out: int,
        *,
        padding: Literal["same", "valid"] = "same",
        pool: Pool = "none",
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.padding, self.pool = padding, pool
        self.conv = nn.Conv1d(d_in, d_out, 3, padding=1 if padding == "same" else 0, bias=bias)
        self.norm = MaskedBatchNorm(d_out)

    def forward(self, x: Stream) -> Stream:
        """The stream after convolution, batch norm, ReLU and pooling."""
        tokens, mask, times = x
        y = self.conv(rearrange(tokens, "b t d -> b d t"))
        if self.padding == "valid":
            mask, times = _all_of(mask, 3), times[1:-1]
        y = self.norm.activated(y, mask)
        if self.pool == "halve":
            y, (mask, times) = F.max_pool1d(y, 2, ceil_mode=True), halve(mask, times)
        y = rearrange(y, "b d t -> b t d")
        if self.pool == "slide":
            y = torch.maximum(y[:, 1:], y[:, :-1])
            mask, times = _all_of(mask, 2), (times[1:] + times[:-1]) / 2
            y = zero_masked(y, mask)
        return Stream(y, mask, times)


def temporal_convs(
    d_in: int,
    widths: Sequence[int],
    *,
    padding: Literal["same", "valid"] = "same",
    pool: Pool = "none",
    bias: bool = False,
) -> nn.Sequential:
    """A sequence of :class:`TemporalConv`, one for each of ``widths``."""
    sizes = (d_in, *widths)
    return nn.Sequential(
        *(TemporalConv(a, b, padding=padding, pool=pool, bias=bias) for a, b in pairwise(sizes))
    )


def halve(mask: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Mask and times of pairs of steps; a pair is real if one of the two is."""
    real = F.max_pool1d(mask.float()[:, None], 2, ceil_mode=True)[:, 0] > 0
    if len(times) == 1:
        return real, times
    return real, times[::2] + (times[1] - times[0]) / 2


def _all_of(mask: Tensor, width: int) -> Tensor:
    """Bool ``(b, t - width + 1)``: whether all of ``width`` neighbouring steps are real."""
    return F.max_pool1d((~mask).float()[:, None], width, 1)[:, 0] == 0
