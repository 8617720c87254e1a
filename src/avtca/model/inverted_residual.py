"""Figure, video column, "inverted residual block": ShuffleNet-V2 units (Ma et al. 2018).

Shape legend: ``b`` batch (frames), ``c`` channels, ``h``, ``w`` pixels of the map.
"""

import torch
from torch import Tensor, nn


def conv_bn(
    c_in: int, c_out: int, *, kernel: int, stride: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """Convolution without bias, batch norm and optional ReLU, with "same" padding."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    tail: list[nn.Module] = [nn.BatchNorm2d(c_out)]
    if relu:
        tail.append(nn.ReLU(inplace=True))
    return nn.Sequential(conv, *tail)


def channel_shuffle(x: Tensor, groups: int = 2) -> Tensor:
    """Interleave the channels of the groups: ``(b, c, h, w) -> (b, c, h, w)``."""
    b, c, h, w = x.shape
    return x.view(b, groups, c // groups, h, w).transpose(1, 2).reshape(b, c, h, w)


class InvertedResidualUnit(nn.Module):
    """One ShuffleNet-V2 unit: ``(b, c_in, h, w) -> (b, c_out, h / stride, w / stride)``.

    With stride 1 half of the channels pass unchanged and the other half go through convolutions
    1x1, depthwise 3x3, 1x1; with stride 2 all channels go through both branches. ``c_out`` must be
    even, and equal to ``c_in`` with stride 1 (``ValueError``).
    """

    def __init__(self, c_in: int, c_out: int, *, stride: int) -> None:
        super().__init__()
        if c_out % 2:
            raise ValueError(f"an inverted residual unit needs even channels, found {c_out}")
        if stride == 1 and c_in != c_out:
            raise ValueError(f"stride 1 needs equal channels, found {c_in} and {c_out}")
        half = c_out // 2
        self.stride = stride
        self.branch1 = (
            nn.Sequential()
            if stride == 1
            else nn.Sequential(
                *conv_bn(c_in, c_in, kernel=3, stride=stride, groups=c_in, relu=False),
                *conv_bn(c_in, half, kernel=1),
            )
        )
        self.branch2 = nn.Sequential(
            *conv_bn(half if stride == 1 else c_in, half, kernel=1),
            *conv_bn(half, half, kernel=3, stride=stride, groups=half, relu=False),
            *conv_bn(half, half, kernel=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The next map."""
        left, right = x.chunk(2, dim=1) if self.stride == 1 else (self.branch1(x), x)
        return channel_shuffle(torch.cat((left, self.branch2(right)), dim=1))


def inverted_residual_stage(c_in: int, c_out: int, *, units: int) -> nn.Sequential:
    """A block of the figure: one unit with stride 2, then ``units - 1`` with stride 1."""
    first = InvertedResidualUnit(c_in, c_out, stride=2)
    rest = (InvertedResidualUnit(c_out, c_out, stride=1) for _ in range(units - 1))
    return nn.Sequential(first, *rest)
