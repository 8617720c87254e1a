"""What comes in: face crops, video features, audio features, or nothing; each a stream.

Figure, video column, steps 1 to 3 stand behind :class:`VideoPixels`. Shape legend: ``b`` batch,
``t_v`` video steps, ``t_a`` audio steps, ``c`` channels, ``h``, ``w`` pixels, ``f`` features,
``d`` token width.
"""

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from avtca.model.streams import MaskedBatchNorm, Stream, given_mask, zero_masked
from avtca.model.video_trunk import VideoTrunk

MIN_PROB = 1e-3
"""Probabilities below are as good as none."""
FOLLOWED_DB = 80.0
"""Decibels under the loudest band of a window below which nothing is followed."""
LEVEL_UNIT_DB = 20.0
"""Decibels that count as one after the mean level is taken away."""


class VideoPixels(nn.Module):
    """Face crops to tokens: ``(b, t_v, c, h, w)``, 0..1 -> ``(b, t_v, d)``.

    Each real frame goes through the trunk. In training masked frames never reach it (but where
    a batch has a single real one, which batch norm cannot use), so its statistics are those of
    faces alone; in evaluation and export all frames do and the masked are dropped afterwards,
    which gives the same.
    """

    def __init__(self, trunk: VideoTrunk) -> None:
        super().__init__()
        self.trunk, self.width = trunk, trunk.width

    def forward(self, video: Tensor, mask: Tensor | None = None) -> Stream:
        """Figure, video column, steps 1 to 3. ``ValueError`` for frames of another shape."""
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

    ``(b, t_v, f) -> (b, t_v, d)``: a batch norm for each feature, since their scales differ,
    and a linear map. The first ``probabilities`` of the features are probabilities: their
    logarithms stand beside them, since what is unlikely says as much as what is likely. The last
    ``utterance_features`` are left to :class:`~avtca.model.head.UtteranceHead`.
    """

    def __init__(
        self, video_dim: int, width: int, *, probabilities: int = 0, utterance_features: int = 0
    ) -> None:
        super().__init__()
        self.video_dim, self.width, self.probabilities = video_dim, width, probabilities
        self.read = video_dim - utterance_features
        self.norm = MaskedBatchNorm(self.read + probabilities)
        self.project = nn.Linear(self.read + probabilities, width)

    def forward(self, video: Tensor, mask: Tensor | None = None) -> Stream:
        """In place of steps 1 to 3. ``ValueError`` for vectors of another length."""
        _expect(video, self.video_dim, axis=2, name="video features (b, t_v, f)")
        mask = given_mask(mask, video)
        features = zero_masked(video[..., : self.read], mask)
        if self.probabilities:
            logs = features[..., : self.probabilities].clamp(min=MIN_PROB).log()
            features = zero_masked(torch.cat((features, logs), dim=2), mask)
        scaled = self.norm(rearrange(features, "b t f -> b f t"), mask)
        tokens = self.project(rearrange(scaled, "b f t -> b t f"))
        return Stream(zero_masked(tokens, mask), mask, step_times(video))


class AudioFeatures(nn.Module):
    """MFCCs, log-mel bands or any audio features: ``(b, f, t_a) -> (b, t_a, f)``.

    ``norm="bands"`` puts a batch norm on each feature: decibels and MFCCs are far from zero,
    which is what masked steps count as. ``"level"`` (log-mel in dB) samples each window's mean
    level away, so that loudness and distance to the microphone do not matter, and follows
    nothing that is 80 dB under its loudest band. The released code has ``"none"``. The last
    ``left`` features are left to :class:`~avtca.model.audio_statistics.AudioStatisticsHead`; one frame of
    ``stride`` is kept.
    """

    def __init__(
        self,
        audio_dim: int,
        *,
        norm: Literal["bands", "level", "none"] = "bands",
        left: int = 0,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.audio_dim, self.width, self.stride = audio_dim, audio_dim - left, stride
        self.by_level = norm == "level"
        self.norm = MaskedBatchNorm(self.width) if norm == "bands" else None

    def forward(self, audio: Tensor, mask: Tensor | None = None) -> Stream:
        """Figure, audio column, input. ``ValueError`` for another number of features."""
        _expect(audio, self.audio_dim, axis=1, name="audio (b, f, t_a)")
        tokens = rearrange(audio, "b f t -> b t f")
        mask = given_mask(mask, tokens)[:, :: self.stride]
        steps = tokens.shape[1]
        tokens = zero_masked(tokens[:, :: self.stride, : self.width], mask)
        if self.by_level:
            tokens = zero_masked(levelled(tokens, mask), mask)
        if self.norm is not None:
            scaled = self.norm(rearrange(tokens, "b t f -> b f t"), mask)
            tokens = zero_masked(rearrange(scaled, "b f t -> b t f"), mask)
        times = torch.arange(steps, device=audio.device, dtype=audio.dtype) / max(1, steps - 1)
        return Stream(tokens, mask, times[:: self.stride])


def levelled(tokens: Tensor, mask: Tensor) -> Tensor:
    """Decibels ``(b, t, f)`` above the mean level of real steps, in units of 20 dB.

    ``tokens`` are zero where ``mask (b, t)`` is False; what comes out there means nothing.
    """
    lowest = torch.finfo(tokens.dtype).min
    loudest = tokens.masked_fill(~mask[..., None], lowest).amax(dim=(1, 2), keepdim=True)
    heard = zero_masked(torch.maximum(tokens, loudest - FOLLOWED_DB), mask)
    count = (mask.sum(dim=1) * tokens.shape[2]).clamp(min=1)
    mean = heard.sum(dim=(1, 2)) / count
    return (heard - mean[:, None, None]) / LEVEL_UNIT_DB


class MissingModality(nn.Module):
    """A modality that a variant does not read: one masked step, whatever comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Stream:
        """An empty stream ``(b, 1, d)``."""
        tokens = torch.zeros(x.shape[0], 1, self.width, device=x.device, dtype=x.dtype)
        return Stream(tokens, tokens[..., 0] > 0, tokens.new_full((1,), 0.5))


def step_times(video: Tensor) -> Tensor:
    """Middles of the video steps as fractions of the window: ``(t_v,)``."""
    steps = video.shape[1]
    return (torch.arange(steps, device=video.device, dtype=video.dtype) + 0.5) / steps


def _expect(x: Tensor, size: int, *, axis: int, name: str) -> None:
    if x.ndim != 3 or x.shape[axis] != size:
        raise ValueError(f"{name} with {size} features wanted, found shape {tuple(x.shape)}")
