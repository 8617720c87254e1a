"""Figure, steps 1, 3 and 5: "conv 3 -> batch norm, ReLU (, max pool)" over time, twice.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width, ``c`` channels, ``f`` mel bands.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from avtca.model.streams import MaskedBatchNorm, Stream, zero_masked

Pool = Literal["none", "halve", "slide"]
"""Max pool of 2: none; with stride 2 (a last odd step is kept); or with stride 1."""


class TemporalConv(nn.Module):
    """Convolution of 3 over time, batch norm, ReLU and, if wanted, max pool.

    ``(b, t, d_in) -> (b, t', d_out)``. With ``padding="same"`` a step stays real where it was,
    its masked neighbours counting as zeros; with ``padding="valid"`` (the released audio branch)
    only where all it saw was real. ``pool="halve"`` keeps a pair of which one is real,
    ``"slide"`` one of which both are. Batch norm sees real steps alone.
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
        """Figure, "conv 3 -> BN, ReLU (, max pool)"."""
        tokens, mask, times = x
        y = self.conv(rearrange(tokens, "b t d -> b d t"))
        if self.padding == "valid":
            mask, times = _all_of(mask, 3), times[1:-1]
        y = self.norm.activated(y, mask)
        if self.pool == "halve":
            y, (mask, times) = F.max_pool1d(y, 2, ceil_mode=True), _halve(mask, times)
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
    """One :class:`TemporalConv` for each width."""
    sizes = (d_in, *widths)
    return nn.Sequential(
        *(TemporalConv(a, b, padding=padding, pool=pool, bias=bias) for a, b in pairwise(sizes))
    )


class SpectralConv(nn.Module):
    """Audio, before the transformer blocks, over time and frequency; an option of ``best``.

    ``(b, t, f) -> (b, ceil(t / 4), d_out)``: a 5x5 convolution of stride 2 over frequency and a
    max pool, two pairs of 3x3 convolutions, the second of each pair residual, with max pools
    between (the last over frequency alone), then all bands of a step through one linear map;
    batch norm and ReLU after each. Pitch and formants then are patterns that may move over the
    bands; the figure's convolutions over time alone learn them anew for each voice.
    """

    def __init__(self, bands: int, d_out: int, *, width: int = 24) -> None:
        super().__init__()
        c = (width, 2 * width, 4 * width)
        self.stem = _Conv2d(1, c[0], kernel=5, stride=(2, 1))
        self.first = nn.ModuleList((_Conv2d(c[0], c[1]), _Conv2d(c[1], c[1])))
        self.second = nn.ModuleList((_Conv2d(c[1], c[2]), _Conv2d(c[2], c[2])))
        for _ in range(4):
            bands = -(-bands // 2)
        self.flatten = nn.Conv1d(c[2] * bands, d_out, 1, bias=False)
        self.norm_out = MaskedBatchNorm(d_out)

    def forward(self, x: Stream) -> Stream:
        """Replaces the figure's first two audio convolutions."""
        tokens, mask, times = x
        y = rearrange(tokens, "b t f -> b 1 f t")
        y = F.max_pool2d(self.stem(y, mask), 2, ceil_mode=True)
        mask, times = _halve(mask, times)
        y = self.first[0](y, mask)
        y = F.max_pool2d(y + self.first[1](y, mask), 2, ceil_mode=True)
        mask, times = _halve(mask, times)
        y = self.second[0](y, mask)
        y = F.max_pool2d(y + self.second[1](y, mask), (2, 1), ceil_mode=True)
        y = self.norm_out.activated(self.flatten(rearrange(y, "b c f t -> b (c f) t")), mask)
        return Stream(rearrange(y, "b d t -> b t d"), mask, times)


class _Conv2d(nn.Module):
    """Convolution, batch norm over real steps, ReLU; zero where masked: ``(b, c, f, t)``."""

    def __init__(
        self, c_in: int, c_out: int, *, kernel: int = 3, stride: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
        self.norm = MaskedBatchNorm(c_out)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``mask`` is that of the output's steps."""
        return self.norm.activated(self.conv(x), mask)


def _halve(mask: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Mask and clock of pairs; a pair is real where one of the two is."""
    real = F.max_pool1d(mask.float()[:, None], 2, ceil_mode=True)[:, 0] > 0
    if len(times) == 1:
        return real, times
    return real, times[::2] + (times[1] - times[0]) / 2


def _all_of(mask: Tensor, width: int) -> Tensor:
    """Bool ``(b, t - width + 1)``: all of ``width`` neighbours are real."""
    return F.max_pool1d((~mask).float()[:, None], width, 1)[:, 0] == 0
