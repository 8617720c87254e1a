"""Sinusoidal encoding of time (``positions=True``), added before the first attention.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width.
"""

import torch
from torch import Tensor, nn

from avtca.model.streams import Stream


class TimeEncoding(nn.Module):
    """Adds sinusoids of each token's time in the window; shape kept.

    Frequencies range from 0.5 to 32 cycles per window and are the same for both streams. One
    learned factor scales them.
    """

    frequencies: Tensor

    def __init__(self, d: int) -> None:
        super().__init__()
        pairs = d // 2
        cycles = 0.5 * 64 ** (torch.arange(pairs) / max(1, pairs - 1))
        self.register_buffer("frequencies", 2 * torch.pi * cycles, persistent=False)
        self.scale = nn.Parameter(torch.tensor(0.1))
        self.width = d

    def forward(self, x: Stream) -> Stream:
        """The stream with encoded times."""
        angles = x.times[:, None] * self.frequencies
        waves = torch.cat((angles.sin(), angles.cos()), dim=1)
        waves = nn.functional.pad(waves, (0, self.width - waves.shape[1]))
        return x.with_tokens(x.tokens + self.scale * waves)
