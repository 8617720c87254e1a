"""Figure, video column, "local feature extractor" (EfficientFace, Zhao et al. 2021).

Shape legend: ``b`` batch (frames), ``c`` channels, ``h``, ``w`` pixels of the map.
"""

import torch
from torch import Tensor, nn

from avtca.model.inverted_residual import conv_bn


class LocalFeatureExtractor(nn.Module):
    """Each quadrant of the map through its own depthwise pair.

    ``(b, c_in, h, w) -> (b, c_out, h / stride, w / stride)``; the parts of the face (eyes left
    and right, mouth left and right) get filters of their own.
    """

    def __init__(self, c_in: int, c_out: int, *, stride: int = 1) -> None:
        super().__init__()
        self.quadrants = nn.ModuleList(
            nn.Sequential(
                *conv_bn(c_in, c_in, kernel=3, stride=stride, groups=c_in, relu=False),
                *conv_bn(c_in, c_out, kernel=1),
                *conv_bn(c_out, c_out, kernel=3, groups=c_out, relu=False),
                *conv_bn(c_out, c_out, kernel=1),
            )
            for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Figure, "local feature extractor"; ``h`` and ``w`` must divide by ``2 * stride``."""
        upper, lower = x.chunk(2, dim=2)
        parts = [*upper.chunk(2, dim=3), *lower.chunk(2, dim=3)]
        a, b, c, d = (net(part) for net, part in zip(self.quadrants, parts, strict=True))
        return torch.cat((torch.cat((a, b), dim=3), torch.cat((c, d), dim=3)), dim=2)
