"""Audio front end over time and frequency (``audio_frontend="conv2d"``), in place of step 1.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width, ``c`` channels, ``f`` mel bands.
"""

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from avtca.model.masked_norm import MaskedBatchNorm
from avtca.model.streams import Stream
from avtca.model.temporal_conv import halve


class SpectralConv(nn.Module):
    """Convolutions over time and frequency: ``(b, t, f) -> (b, ceil(t / 4), d_out)``.

    A 5x5 convolution with stride 2 over frequency and a max pool; two pairs of 3x3 convolutions,
    the second of each pair residual, each pair followed by a max pool (the last over frequency
    only); a linear map over all bands of a step. Batch norm and ReLU after each convolution.
    A pattern is recognised wherever it is on the frequency axis, whereas convolutions over time
    learn it separately for each pitch.

    Args:
        bands: Mel bands.
        d_out: Width of the output tokens.
        width: Channels of the first convolution.
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
        """The audio tokens, in place of the figure's first two audio convolutions."""
        tokens, mask, times = x
        y = rearrange(tokens, "b t f -> b 1 f t")
        y = F.max_pool2d(self.stem(y, mask), 2, ceil_mode=True)
        mask, times = halve(mask, times)
        y = self.first[0](y, mask)
        y = F.max_pool2d(y + self.first[1](y, mask), 2, ceil_mode=True)
        mask, times = halve(mask, times)
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
        """``mask (b, t)`` is that of the output steps."""
        return self.norm.activated(self.conv(x), mask)
