"""When a token happens, told to the attention boxes; an option of ``best``.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width.
"""

import torch
from torch import Tensor, nn

from avtca.model.streams import Stream


class TimeEncoding(nn.Module):
    """Sinusoids of each token's time in the window, added to its token: shape kept.

    Half to 32 cycles a window, on one clock for both streams, scaled by one learned number.
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
        """Before the first attention."""
        angles = x.times[:, None] * self.frequencies
        waves = torch.cat((angles.sin(), angles.cos()), dim=1)
        waves = nn.functional.pad(waves, (0, self.width - waves.shape[1]))
        return x.with_tokens(x.tokens + self.scale * waves)
