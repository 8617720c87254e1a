"""Statistics of a whole window's audio as an expert of its own: how high, how fast, how steady.

The field's oldest way to hear emotions is to summarise pitch, loudness and spectrum over an
utterance (eGeMAPS, Eyben et al. 2016). A small corpus teaches a linear layer on such statistics
what it cannot teach a convolution. Shape legend: ``b`` batch, ``t`` audio frames, ``f`` mel bands.
"""

import math

import torch
from torch import Tensor, nn

from avtca.clipspec import PITCH_ROWS
from avtca.model.frontends import levelled
from avtca.model.head import Expert, Own
from avtca.model.statistics import deviation, equal_parts, mean
from avtca.model.streams import given_mask, zero_masked

N_CEPSTRUM = 20
"""Coefficients of the cepstrum at most, without the level."""
STEADY = 0.2
"""Octaves a pitch moves between two frames at most; more is a mistaken octave."""
PARTS = 3
"""Parts of an utterance whose pitch and loudness are compared."""


class AudioStatisticsHead(nn.Module):
    """Logits from statistics of mel bands, cepstrum, pitch and loudness.

    An option of ``best``, for audio of log-mel bands with pitch (:mod:`avtca.audio.pitch`).
    ``norm="level"``: bands in dB, counted from the window's mean level; otherwise as they are.
    """

    cepstrum: Tensor

    def __init__(self, audio_dim: int, n_labels: int, *, by_level: bool) -> None:
        super().__init__()
        self.bands, self.by_level = audio_dim - PITCH_ROWS, by_level
        cepstrum = _dct(min(N_CEPSTRUM, self.bands - 1), self.bands)
        self.register_buffer("cepstrum", cepstrum, persistent=False)
        wide = (self.bands + 1) // 2 + len(cepstrum)
        self.expert = Expert(4 * wide + 13 + 2 * PARTS, n_labels)

    def forward(self, audio: Tensor, mask: Tensor | None = None) -> Own:
        """``audio (b, f + 2, t)`` -> ``{"voice": (b, n_labels)}``, zeros where nothing is real."""
        rows = audio.transpose(1, 2)
        mask = given_mask(mask, rows)
        with torch.no_grad():
            found = self.statistics(zero_masked(rows, mask), mask)
        return {"voice": self.expert(found, mask.any(dim=1, keepdim=True))}

    def statistics(self, rows: Tensor, mask: Tensor) -> Tensor:
        """``(b, t, f + 2)``, zero where masked -> ``(b, n)``."""
        bands, octaves, voicing = rows[..., : self.bands], rows[..., -2], rows[..., -1]
        if self.by_level:
            bands = levelled(bands, mask)
        energy = bands.mean(dim=2)
        loud, voiced = loud_and_voiced(energy, voicing, mask)
        pairs = nn.functional.avg_pool1d(bands, 2, ceil_mode=True)
        spectrum = _moments(torch.cat((pairs, bands @ self.cepstrum.T), dim=2), loud)
        height = mean(octaves, voiced)[:, None]
        steps = octaves[:, 1:] - octaves[:, :-1]
        steady = voiced[:, 1:] & voiced[:, :-1] & (steps.abs() < STEADY)
        far = torch.finfo(octaves.dtype).max
        some = voiced.any(dim=1)
        highest = octaves.masked_fill(~voiced, -far).amax(dim=1) * some
        lowest = octaves.masked_fill(~voiced, far).amin(dim=1) * some
        moves = (energy[:, 1:] - energy[:, :-1]).abs()
        loudness = mean(energy, loud)[:, None]
        numbers = [
            height[:, 0],
            deviation(octaves, voiced),
            highest,
            lowest,
            mean(steps.abs(), steady),
            mean(steps, steady),
            _share(voiced, loud),
            _share(loud, mask),
            loud.sum(dim=1) / mask.shape[1],
            mean(voicing, loud),
            deviation(voicing, loud),
            deviation(energy, loud),
            mean(moves, loud[:, 1:]),
        ]
        for part in equal_parts(loud, PARTS):
            there = voiced & part
            numbers.append(mean(octaves - height, there))
            numbers.append(mean(energy - loudness, part & mask))
        return torch.cat((spectrum, torch.stack(numbers, dim=1)), dim=1)


class NoAudioStatisticsHead(nn.Module):
    """Most networks have none."""

    def forward(self, audio: Tensor, mask: Tensor | None = None) -> Own:
        """Nothing."""
        return {}


def loud_and_voiced(energy: Tensor, voicing: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Frames above a window's mean level, and those of them more voiced than their mean.

    All ``(b, t)``.
    """
    loud = mask & (energy > mean(energy, mask)[:, None])
    return loud, loud & (voicing > mean(voicing, loud)[:, None])


def _moments(x: Tensor, there: Tensor) -> Tensor:
    """Mean and deviation of ``x (b, t, d)`` and of its steps, in size and spread: ``(b, 4 d)``."""
    steps, moved = x[:, 1:] - x[:, :-1], there[:, 1:]
    parts = (mean(x, there), deviation(x, there), mean(steps.abs(), moved))
    return torch.cat((*parts, deviation(steps, moved)), dim=1)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    return part.sum(dim=1) / whole.sum(dim=1).clamp(min=1)


def _dct(n_out: int, n_in: int) -> Tensor:
    """Rows 1 to ``n_out`` of the orthonormal DCT-II: ``(n_out, n_in)``."""
    rows = torch.arange(1, n_out + 1)[:, None] * (torch.arange(n_in) + 0.5) * math.pi / n_in
    return rows.cos() * math.sqrt(2 / n_in)
