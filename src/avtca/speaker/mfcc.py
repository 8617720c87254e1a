"""Mel-frequency cepstral coefficients as speaker models take them, from audio in blocks."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Sample rate in Hz."""
MFCC_RATE = 100
"""Frames a second."""
N_COEFFICIENTS = 13
_FRAME, _STEP, _N_FFT, _N_MELS = 400, 160, 512, 26
_EMPHASIS, _LIFTER, _FULL_SCALE = 0.97, 22, 32_768.0
Float = NDArray[np.float32]


class MfccSeries:
    """Coefficients of a waveform that comes in blocks, :data:`MFCC_RATE` frames a second.

    26 triangular filters up to 8 kHz on frames of 25 ms without a window, pre-emphasis 0.97, the
    orthonormal cosine transform, a lifter of 22, and the log energy in place of the first
    coefficient, at the scale of 16-bit samples: the defaults of python_speech_features.
    """

    def __init__(self) -> None:
        self._wave: Float = np.zeros(0, np.float32)
        self._last = 0.0
        self._frames: list[Float] = []

    def add(self, block: Float) -> None:
        """Add the next block ``(n,)``, -1 to 1."""
        scaled = block * np.float32(_FULL_SCALE)
        emphasised = scaled - _EMPHASIS * np.concatenate(([self._last], scaled[:-1]))
        self._last = float(scaled[-1]) if len(scaled) else self._last
        self._wave = np.concatenate((self._wave, emphasised.astype(np.float32)))
        n = 1 + (len(self._wave) - _FRAME) // _STEP
        if n > 0:
            self._frames.append(self._coefficients(self._wave[: (n - 1) * _STEP + _FRAME]))
            self._wave = self._wave[n * _STEP :]

    def values(self) -> Float:
        """The coefficients so far ``(n, 13)``; the end of the waveform is padded with zeros."""
        rest = np.pad(self._wave, (0, _FRAME))[:_FRAME]
        last = [self._coefficients(rest)] if len(self._wave) > _FRAME - _STEP else []
        return np.concatenate([np.zeros((0, N_COEFFICIENTS), np.float32), *self._frames, *last])

    def _coefficients(self, wave: Float) -> Float:
        frames = np.lib.stride_tricks.sliding_window_view(wave, _FRAME)[::_STEP]
        power = np.square(np.abs(np.fft.rfft(frames, _N_FFT))) / _N_FFT
        floor = np.finfo(np.float64).eps
        bands = np.log(np.maximum(power @ self._filters.T, floor))
        found = bands @ self._cosines
        found[:, 0] = np.log(np.maximum(power.sum(axis=1), floor))
        return found.astype(np.float32)

    @cached_property
    def _filters(self) -> NDArray[np.float64]:
        top = 2595 * np.log10(1 + RATE / 2 / 700)
        hz = 700 * (10 ** (np.linspace(0, top, _N_MELS + 2) / 2595) - 1)
        edges = np.floor((_N_FFT + 1) * hz / RATE)
        bins = np.arange(_N_FFT // 2 + 1)
        low, middle, high = (edges[k : k + _N_MELS, None] for k in range(3))
        rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
        inside = (bins >= low) & (bins < high)
        return np.where(inside, np.where(bins < middle, rising, falling), 0.0)

    @cached_property
    def _cosines(self) -> NDArray[np.float64]:
        order, band = np.arange(N_COEFFICIENTS), np.arange(_N_MELS)[:, None]
        cosines = np.sqrt(2 / _N_MELS) * np.cos(np.pi * order * (band + 0.5) / _N_MELS)
        return np.asarray(cosines * (1 + _LIFTER / 2 * np.sin(np.pi * order / _LIFTER)))
