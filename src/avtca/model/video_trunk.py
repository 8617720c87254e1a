"""Figure, video column, steps 1 to 3: from a face crop to a vector.

Shape legend: ``b`` batch (frames), ``c`` channels, ``h``, ``w`` pixels.
"""

from typing import Any, Literal

from torch import Tensor, nn

from avtca.errors import ConfigError
from avtca.model.channel_spatial_attention import ChannelSpatialAttention
from avtca.model.inverted_residual import conv_bn, inverted_residual_stage
from avtca.model.local_features import LocalFeatureExtractor

STEM_CHANNELS = 29
"""Width of EfficientFace's stem."""
STAGE_CHANNELS = (116, 232, 464)
"""Widths of the inverted residual stages 2, 3 and 4 of EfficientFace (ShuffleNet-V2 1x)."""


class VideoTrunk(nn.Module):
    """Face crops to vectors: ``(b, c, h, w)`` -> ``(b, width)``, values of the crop 0..1.

    Args:
        channels: 3 for RGB, 1 for luma.
        units: Units of each inverted residual stage; ``(4, 8)`` are the figure's two blocks,
            ``(4, 8, 4)`` EfficientFace's three stages.
        attention_after: Where channel x spatial attention and the local features are: on the
            stem's map as in the figure, or after stage 2 as in the released code.
        stem_stride: 2 as published; 1 for small crops (48 px), which then have the map sizes of
            96 px.
        width: Length of the vector.
        stage_channels: Width of each stage; only the first ``len(units)`` count.
        channel: Whether there is channel attention.
        spatial: Whether there is spatial attention.
        local: Whether there is a local feature extractor.
        local_kind: See :class:`~avtca.model.local_features.LocalFeatureExtractor`.
        reduction: Channels over hidden channels in the attention; 4 gives seven hidden channels
            for the stem's 29, as many as the released code has for the 116 of stage 2.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        units: tuple[int, ...] = (4, 8),
        attention_after: Literal["stem", "stage2"] = "stem",
        stem_stride: int = 2,
        width: int = 1024,
        stage_channels: tuple[int, ...] = STAGE_CHANNELS,
        channel: bool = True,
        spatial: bool = True,
        local: bool = True,
        local_kind: Literal["separable", "depthwise"] = "separable",
        reduction: int = 16,
    ) -> None:
        super().__init__()
        self.width = width
        self.crop_divisor = stem_stride * 2 * 2 ** len(units)
        self.attention_after = attention_after
        self.stem = nn.Sequential(
            *conv_bn(channels, STEM_CHANNELS, kernel=3, stride=stem_stride), nn.MaxPool2d(3, 2, 1)
        )
        on_stem = attention_after == "stem"
        c_attention = STEM_CHANNELS if on_stem else stage_channels[0]
        self.attention = ChannelSpatialAttention(
            c_attention, channel=channel, spatial=spatial, reduction=reduction
        )
        self.local = (
            LocalFeatureExtractor(
                STEM_CHANNELS, c_attention, stride=1 if on_stem else 2, kind=local_kind
            )
            if local
            else None
        )
        sizes = (STEM_CHANNELS, *stage_channels[: len(units)])
        self.stages = nn.ModuleList(
            inverted_residual_stage(c_in, c_out, units=n)
            for c_in, c_out, n in zip(sizes[:-1], sizes[1:], units, strict=True)
        )
        self.project = conv_bn(sizes[-1], width, kernel=1)

    def forward(self, crops: Tensor) -> Tensor:
        """The figure's video column down to the global average pool."""
        if crops.shape[-1] % self.crop_divisor or crops.shape[-2] % self.crop_divisor:
            raise ValueError(
                f"crops of {tuple(crops.shape[-2:])} px, the trunk needs a multiple of "
                f"{self.crop_divisor}"
            )
        stem = self.stem(crops)
        x = stem if self.attention_after == "stem" else self.stages[0](stem)
        attended = self.attention(x)
        x = attended if self.local is None else attended + self.local(stem)
        for stage in self.stages if self.attention_after == "stem" else self.stages[1:]:
            x = stage(x)
        vectors: Tensor = self.project(x).mean(dim=(2, 3))
        return vectors


def video_trunk(**sizes: Any) -> VideoTrunk:
    """A trunk from values of a configuration; ``ConfigError`` for an unknown argument."""
    if "units" in sizes:
        sizes["units"] = tuple(sizes["units"])
    try:
        return VideoTrunk(**sizes)
    except TypeError as error:
        raise ConfigError("build the video trunk", str(error), "correct trunk") from None
