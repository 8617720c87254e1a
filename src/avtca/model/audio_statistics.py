"""Expert on statistics (functionals) of pitch, loudness and spectrum over a window.

Such summaries are the classical features of speech emotion recognition (eGeMAPS, Eyben et al.
2016), and a linear layer on them needs less data than a convolution. Shape legend: ``b`` batch,
``t`` audio frames, ``f`` mel bands.
"""

import math

import torch
from torch import Tensor, nn

from avtca.clipspec import PITCH_ROWS
from avtca.model.experts import ExpertLogits, LinearExpert
from avtca.model.frontends import normalise_level
from avtca.model.statistics import deviation, equal_segments, mean
from avtca.model.streams import given_mask, zero_masked
from avtca.voicing import loud_and_voiced

N_CEPSTRUM = 20
"""Largest number of cepstral coefficients, without the level."""
MAX_PITCH_STEP = 0.2
"""Largest change of pitch between two frames, in octaves; more is an octave error."""
N_SEGMENTS = 3
"""Segments of an utterance whose pitch and loudness are compared with the whole."""


class AudioStatisticsHead(nn.Module):
    """Logits from statistics of mel bands, cepstrum, pitch and loudness.

    Args:
        audio_dim: Log-mel bands plus the two rows of pitch (:mod:`avtca.audio.pitch`).
        n_labels: Number of emotions.
        level_norm: Whether the bands, in dB, are taken relative to the window's mean level.
    """

    cepstrum: Tensor

    def __init__(self, audio_dim: int, n_labels: int, *, level_norm: bool) -> None:
        super().__init__()
        self.bands, self.level_norm = audio_dim - PITCH_ROWS, level_norm
        cepstrum = _dct(min(N_CEPSTRUM, self.bands - 1), self.bands)
        self.register_buffer("cepstrum", cepstrum, persistent=False)
        wide = (self.bands + 1) // 2 + len(cepstrum)
        self.expert = LinearExpert(4 * wide + 13 + 2 * N_SEGMENTS, n_labels)

    def forward(self, audio: Tensor, mask: Tensor | None = None) -> ExpertLogits:
        """``audio (b, f + 2, t)`` -> logits "audio_statistics", zero if no frame is real."""
        rows = audio.transpose(1, 2)
        mask = given_mask(mask, rows)
        with torch.no_grad():
            found = self.statistics(zero_masked(rows, mask), mask)
        return {"audio_statistics": self.expert(found, mask.any(dim=1, keepdim=True))}

    def statistics(self, rows: Tensor, mask: Tensor) -> Tensor:
        """``(b, t, f + 2)``, zero where masked -> ``(b, n)``."""
        bands, octaves, voicing = rows[..., : self.bands], rows[..., -2], rows[..., -1]
        if self.level_norm:
            bands = normalise_level(bands, mask)
        energy = bands.mean(dim=2)
        loud, voiced = loud_and_voiced(energy, voicing, mask)
        pairs = nn.functional.avg_pool1d(bands, 2, ceil_mode=True)
        spectrum = _moments(torch.cat((pairs, bands @ self.cepstrum.T), dim=2), loud)
        height = mean(octaves, voiced)[:, None]
        steps = octaves[:, 1:] - octaves[:, :-1]
        steady = voiced[:, 1:] & voiced[:, :-1] & (steps.abs() < MAX_PITCH_STEP)
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
        for segment in equal_segments(loud, N_SEGMENTS):
            selected = voiced & segment
            numbers.append(mean(octaves - height, selected))
            numbers.append(mean(energy - loudness, segment & mask))
        return torch.cat((spectrum, torch.stack(numbers, dim=1)), dim=1)


def _moments(x: Tensor, mask: Tensor) -> Tensor:
    """Mean and deviation of ``x (b, t, d)`` and of its changes: ``(b, 4 d)``."""
    changes, changed = x[:, 1:] - x[:, :-1], mask[:, 1:]
    parts = (mean(x, mask), deviation(x, mask), mean(changes.abs(), changed))
    return torch.cat((*parts, deviation(changes, changed)), dim=1)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    return part.sum(dim=1) / whole.sum(dim=1).clamp(min=1)


def _dct(n_out: int, n_in: int) -> Tensor:
    """Rows 1 to ``n_out`` of the orthonormal DCT-II: ``(n_out, n_in)``."""
    rows = torch.arange(1, n_out + 1)[:, None] * (torch.arange(n_in) + 0.5) * math.pi / n_in
    return rows.cos() * math.sqrt(2 / n_in)
