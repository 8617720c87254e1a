"""Figure, video column, "channel attention x spatial attention" (EfficientFace's modulator).

Shape legend: ``b`` batch (frames), ``c`` channels, ``h``, ``w`` pixels of the map.
"""

import torch
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """One weight for each channel: ``(b, c, h, w) -> (b, c, 1, 1)``.

    Global average pool, FC to ``c / reduction``, batch norm, ReLU, FC to ``c``.
    """

    def __init__(self, channels: int, *, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Weights before the sigmoid."""
        weights: Tensor = self.mlp(x.mean(dim=(2, 3)))
        return weights[:, :, None, None]


class SpatialAttention(nn.Module):
    """One weight for each position: ``(b, c, h, w) -> (b, 1, h, w)``.

    1x1 convolution to ``c / reduction``, two dilated 3x3 convolutions, 1x1 to a single map.
    """

    def __init__(self, channels: int, *, reduction: int = 16, dilation: int = 4) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        layers: list[nn.Module] = [nn.Conv2d(channels, hidden, 1)]
        for _ in range(2):
            layers += [
                nn.BatchNorm2d(hidden),
                nn.ReLU(inplace=True),
                nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation),
            ]
        layers += [nn.BatchNorm2d(hidden), nn.ReLU(inplace=True), nn.Conv2d(hidden, 1, 1)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Weights before the sigmoid."""
        weights: Tensor = self.conv(x)
        return weights


class ChannelSpatialAttention(nn.Module):
    """``sigmoid(channel(x) * spatial(x)) * x``, shape kept.

    Args:
        channels: Channels of the map.
        channel: Whether there is channel attention; without it the factor is 1.
        spatial: Whether there is spatial attention; without either part this is the identity.
        reduction: Channels over hidden channels.
    """

    def __init__(
        self, channels: int, *, channel: bool = True, spatial: bool = True, reduction: int = 16
    ) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels, reduction=reduction) if channel else None
        self.spatial = SpatialAttention(channels, reduction=reduction) if spatial else None

    def forward(self, x: Tensor) -> Tensor:
        """The weighted map."""
        if self.channel is None and self.spatial is None:
            return x
        weight = x.new_ones(()) if self.channel is None else self.channel(x)
        if self.spatial is not None:
            weight = weight * self.spatial(x)
        return torch.sigmoid(weight) * x
