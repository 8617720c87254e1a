"""Augmentation of face crops and expression posteriors.

Its settings are in :mod:`avtca.data.augment_config`. Waveforms and mel bands are
varied in :mod:`avtca.audio.augment`, the speed in
:mod:`avtca.data.speed`, the window in :mod:`avtca.data.training`. Shape legend: ``t_v`` video
steps, ``c`` channels, ``h``, ``w`` pixels, ``f`` features.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
BLUR_PX = 0.6
"""Standard deviation in pixels; less would change nothing."""
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""


@dataclass(frozen=True, kw_only=True)
class CropAugment:
    """Augments the face crops of a window, all steps alike. 0 switches a part off."""

    flip: float = 0.5
    """Probability of a horizontal flip."""
    rotate_deg: float = 10.0
    zoom: float = 0.1
    """Size, uniform in 1 +- this."""
    shift: float = 0.04
    """Sideways and up or down, at most this share of the side."""
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    """Factors, uniform in 1 +- each; saturation of RGB only."""
    blur: float = 0.2
    """Probability of a Gaussian blur of at least :data:`BLUR_PX`, at most 1 % of the side more."""

    def __call__(self, video: Float, mask: Bool, rng: np.random.Generator) -> Float:
        """An augmented copy.

        Args:
            video: Crops ``(t_v, c, h, w)`` in 0..1.
            mask: Real steps ``(t_v,)``; the others are left unchanged.
            rng: Source of all randomness.
        """
        if not mask.any():
            return video.copy()
        crops = torch.from_numpy(np.ascontiguousarray(video[mask]))
        crops = self._move(crops, rng)
        crops = self._colour(crops, rng)
        if rng.random() < self.blur:
            crops = gaussian_blur(crops, BLUR_PX + rng.uniform(0, 0.01) * crops.shape[-1])
        out = video.copy()
        out[mask] = crops.clamp(0, 1).numpy()
        return out

    def _move(self, crops: Tensor, rng: np.random.Generator) -> Tensor:
        if rng.random() < self.flip:
            crops = crops.flip(-1)
        angle = math.radians(rng.uniform(-1, 1) * self.rotate_deg)
        size = 1 + rng.uniform(-1, 1) * self.zoom
        dx, dy = rng.uniform(-2, 2, 2) * self.shift
        if not (self.rotate_deg or self.zoom or self.shift):
            return crops
        cos, sin = math.cos(angle) / size, math.sin(angle) / size
        matrix = torch.tensor([[cos, -sin, dx], [sin, cos, dy]], dtype=crops.dtype)
        grid = F.affine_grid(
            matrix.expand(len(crops), 2, 3), list(crops.shape), align_corners=False
        )
        return F.grid_sample(crops, grid, padding_mode="border", align_corners=False)

    def _colour(self, crops: Tensor, rng: np.random.Generator) -> Tensor:
        brightness, contrast, saturation = (
            1 + rng.uniform(-1, 1) * strength
            for strength in (self.brightness, self.contrast, self.saturation)
        )
        if self.brightness:
            crops = crops * brightness
        if self.contrast:
            middle = crops.mean()
            crops = (crops - middle) * contrast + middle
        if self.saturation and crops.shape[1] == 3:
            weights = torch.tensor(LUMA, dtype=crops.dtype).view(1, 3, 1, 1)
            grey = (crops * weights).sum(dim=1, keepdim=True)
            crops = (crops - grey) * saturation + grey
        return crops


def gaussian_blur(crops: Tensor, sigma: float) -> Tensor:
    """Each picture ``(b, c, h, w)`` blurred by ``sigma`` pixels; edges are repeated outwards."""
    radius = max(1, math.ceil(2.5 * sigma))
    at = torch.arange(-radius, radius + 1, dtype=crops.dtype)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = kernel / kernel.sum()
    c = crops.shape[1]
    wide = F.pad(crops, (radius, radius, radius, radius), mode="replicate")
    wide = F.conv2d(wide, kernel.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)
    return F.conv2d(wide, kernel.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)


def vary_posteriors(video: Float, rng: np.random.Generator, *, bias: float, n: int) -> Float:
    """Expression posteriors as of another resting face, the same change in all steps.

    Args:
        video: Features ``(t_v, f)``; the first ``n`` are posteriors.
        rng: Source of all randomness.
        bias: Standard deviation of the shift of each posterior's logarithm. All logarithms are
            also stretched by up to a quarter. The posteriors sum to 1 again.
        n: Number of posteriors.
    """
    logs = np.log(np.maximum(video[:, :n], 1e-4))
    logs = logs * rng.uniform(0.8, 1.25) + rng.normal(0, bias, n)
    odds = np.exp(logs - logs.max(1, keepdims=True))
    return np.concatenate((odds / odds.sum(1, keepdims=True), video[:, n:]), 1).astype(np.float32)
