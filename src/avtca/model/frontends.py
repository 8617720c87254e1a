"""Front ends: face crops, video features or audio features to a token stream.

:class:`VideoPixels` holds steps 1 to 3 of the figure's video column. Shape legend: ``b`` batch,
``t_v`` video steps, ``t_a`` audio steps, ``c`` channels, ``h``, ``w`` pixels, ``f`` features,
``d`` token width.
"""

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from avtca.clipspec import MIN_PROB
from avtca.model.masked_norm import MaskedBatchNorm
from avtca.model.streams import Stream, given_mask, zero_masked
from avtca.model.video_trunk import VideoTrunk

TOP_DB = 80.0
"""Bands are floored this many decibels below the loudest band of a window."""
LEVEL_UNIT_DB = 20.0
"""Decibels that become 1 after level normalisation."""


class VideoPixels(nn.Module):
    """Face crops to tokens: ``(b, t_v, c, h, w)``, 0..1 -> ``(b, t_v, d)``.

    Each real frame goes through the trunk. In training, masked frames are left out, so that the
    trunk's batch norms compute their statistics over faces only (except in a batch with a single
    real frame, for which batch norm is undefined). In evaluation and export all frames go through
    and the outputs of masked ones are dropped, with the same result.
    """

    def __init__(self, trunk: VideoTrunk) -> None:
        super().__init__()
        self.trunk, self.width = trunk, trunk.width

    def forward(self, video: Tensor, mask: Tensor | None = None) -> Stream:
        """The video stream. ``ValueError`` for frames of another shape."""
        if video.ndim != 5:
            raise ValueError(f"pixels are (b, t_v, c, h, w), found shape {tuple(video.shape)}")
        b, t = video.shape[:2]
        mask = given_mask(mask, video)
        frames = rearrange(video, "b t c h w -> (b t) c h w")
        real = mask.reshape(-1)
        if self.training and 1 < int(real.sum()) < len(frames):
            vectors = self.trunk(frames[real])
            tokens = vectors.new_zeros(len(frames), self.width).index_put((real,), vectors)
        else:
            tokens = self.trunk(zero_masked(frames[:, None], real[:, None])[:, 0])
        tokens = tokens.reshape(b, t, self.width)
        return Stream(zero_masked(tokens, mask), mask, step_times(video))


class VideoFeatures(nn.Module):
    """Feature sequences (action units, FACET, expression posteriors) to tokens.

    ``(b, t_v, f) -> (b, t_v, d)``: batch norm, since the features' scales differ, and a linear
    map.

    Args:
        video_dim: Features of a video step.
        width: Width of the tokens.
        probabilities: How many of the features, the first ones, are probabilities, whose
            logarithms are added as further features.
        utterance_features: How many of the features, the last ones, are left to
            :class:`~avtca.model.experts.UtteranceHead`.
    """

    def __init__(
        self, video_dim: int, width: int, *, probabilities: int = 0, utterance_features: int = 0
    ) -> None:
        super().__init__()
        self.video_dim, self.width, self.probabilities = video_dim, width, probabilities
        self.n_features = video_dim - utterance_features
        self.norm = MaskedBatchNorm(self.n_features + probabilities)
        self.project = nn.Linear(self.n_features + probabilities, width)

    def forward(self, video: Tensor, mask: Tensor | None = None) -> Stream:
        """The video stream. ``ValueError`` for vectors of another length."""
        _expect(video, self.video_dim, axis=2, name="video features (b, t_v, f)")
        mask = given_mask(mask, video)
        features = zero_masked(video[..., : self.n_features], mask)
        if self.probabilities:
            logs = features[..., : self.probabilities].clamp(min=MIN_PROB).log()
            features = zero_masked(torch.cat((features, logs), dim=2), mask)
        scaled = self.norm(rearrange(features, "b t f -> b f t"), mask)
        tokens = self.project(rearrange(scaled, "b f t -> b t f"))
        return Stream(zero_masked(tokens, mask), mask, step_times(video))


class AudioFeatures(nn.Module):
    """MFCCs, log-mel bands or any audio features: ``(b, f, t_a) -> (b, t_a, f)``.

    Args:
        audio_dim: Features of an audio frame.
        norm: "bands" is a batch norm for each feature, since decibels and MFCCs are far from zero,
            the value of masked steps. "level" (log-mel in dB) subtracts each window's mean level,
            so that loudness and distance to the microphone have no effect, and floors the bands
            80 dB below the loudest. "none" is the released code.
        n_left_out: How many of the features, the last ones, are left to
            :class:`~avtca.model.audio_statistics.AudioStatisticsHead`.
        stride: One of this many frames is kept.
    """

    def __init__(
        self,
        audio_dim: int,
        *,
        norm: Literal["bands", "level", "none"] = "bands",
        n_left_out: int = 0,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.audio_dim, self.width, self.stride = audio_dim, audio_dim - n_left_out, stride
        self.level_norm = norm == "level"
        self.norm = MaskedBatchNorm(self.width) if norm == "bands" else None

    def forward(self, audio: Tensor, mask: Tensor | None = None) -> Stream:
        """The audio stream. ``ValueError`` for another number of features."""
        _expect(audio, self.audio_dim, axis=1, name="audio (b, f, t_a)")
        tokens = rearrange(audio, "b f t -> b t f")
        mask = given_mask(mask, tokens)[:, :: self.stride]
        steps = tokens.shape[1]
        tokens = zero_masked(tokens[:, :: self.stride, : self.width], mask)
        if self.level_norm:
            tokens = zero_masked(normalise_level(tokens, mask), mask)
        if self.norm is not None:
            scaled = self.norm(rearrange(tokens, "b t f -> b f t"), mask)
            tokens = zero_masked(rearrange(scaled, "b f t -> b t f"), mask)
        times = torch.arange(steps, device=audio.device, dtype=audio.dtype) / max(1, steps - 1)
        return Stream(tokens, mask, times[:: self.stride])


def normalise_level(tokens: Tensor, mask: Tensor) -> Tensor:
    """Decibels ``(b, t, f)`` relative to the mean level of real steps, in units of 20 dB.

    ``tokens`` must be zero where ``mask (b, t)`` is False; the output there is arbitrary.
    """
    lowest = torch.finfo(tokens.dtype).min
    loudest = tokens.masked_fill(~mask[..., None], lowest).amax(dim=(1, 2), keepdim=True)
    floored = zero_masked(torch.maximum(tokens, loudest - TOP_DB), mask)
    count = (mask.sum(dim=1) * tokens.shape[2]).clamp(min=1)
    mean = floored.sum(dim=(1, 2)) / count
    return (floored - mean[:, None, None]) / LEVEL_UNIT_DB


class MissingModality(nn.Module):
    """In place of a modality that a network does not read: one masked step for any input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Stream:
        """An empty stream ``(b, 1, d)``."""
        tokens = torch.zeros(x.shape[0], 1, self.width, device=x.device, dtype=x.dtype)
        return Stream(tokens, tokens[..., 0] > 0, tokens.new_full((1,), 0.5))


def step_times(video: Tensor) -> Tensor:
    """Times of the middle of the video steps, as fractions of the window: ``(t_v,)``."""
    steps = video.shape[1]
    return (torch.arange(steps, device=video.device, dtype=video.dtype) + 0.5) / steps


def _expect(x: Tensor, size: int, *, axis: int, name: str) -> None:
    if x.ndim != 3 or x.shape[axis] != size:
        raise ValueError(f"{name} with {size} features expected, found shape {tuple(x.shape)}")
