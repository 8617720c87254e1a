"""Figure, video column, "local feature extractor" (EfficientFace, Zhao et al. 2021).

Shape legend: ``b`` batch (frames), ``c`` channels, ``h``, ``w`` pixels of the map.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from avtca.model.inverted_residual import conv_bn


class LocalFeatureExtractor(nn.Module):
    """A pair of depthwise convolutions for each quadrant of the map.

    ``(b, c_in, h, w) -> (b, c_out, h / stride, w / stride)``, so that the parts of the face (left
    and right eye, left and right half of the mouth) have separate filters.

    Args:
        c_in: Channels of the input.
        c_out: Channels of the output; a multiple of ``c_in`` for ``kind="depthwise"``.
        stride: Of the first convolution.
        kind: "separable" follows each depthwise convolution by a 1x1 convolution; "depthwise", as
            published, does not.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        stride: int = 1,
        kind: Literal["separable", "depthwise"] = "separable",
    ) -> None:
        super().__init__()
        make = _separable if kind == "separable" else _depthwise
        self.quadrants = nn.ModuleList(make(c_in, c_out, stride) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """The features; ``h`` and ``w`` must be multiples of ``2 * stride``."""
        upper, lower = x.chunk(2, dim=2)
        parts = [*upper.chunk(2, dim=3), *lower.chunk(2, dim=3)]
        a, b, c, d = (net(part) for net, part in zip(self.quadrants, parts, strict=True))
        return torch.cat((torch.cat((a, b), dim=3), torch.cat((c, d), dim=3)), dim=2)


def _separable(c_in: int, c_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        *conv_bn(c_in, c_in, kernel=3, stride=stride, groups=c_in, relu=False),
        *conv_bn(c_in, c_out, kernel=1),
        *conv_bn(c_out, c_out, kernel=3, groups=c_out, relu=False),
        *conv_bn(c_out, c_out, kernel=1),
    )


def _depthwise(c_in: int, c_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        *conv_bn(c_in, c_out, kernel=3, stride=stride, groups=c_in),
        *conv_bn(c_out, c_out, kernel=3, groups=c_out),
    )
