"""Pitch and voicing of a waveform by the autocorrelation of its frames.

The lag at which a frame resembles itself most, the autocorrelation divided by that of the analysis
window (Boersma 1993, "Accurate short-term analysis of the fundamental frequency"); longer lags cost
a little, against octaves that are too low. Then a median of three frames. Shape legend: ``t_a``
audio frames.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avtca.audio.transform_size import fast_size

LOWEST_HZ, HIGHEST_HZ = 60.0, 600.0
"""Voices that are looked for."""
REFERENCE_HZ = 200.0
"""Pitch is counted in octaves from here."""
OCTAVE_COST = 0.02
"""What a lag twice as long has to resemble more."""

BLOCK = 16
"""Frames transformed at once: what they need fits the processor's cache."""

Float = NDArray[np.float32]


def pitch(wave: Float, sample_rate: int, n: int, hop: int) -> Float:
    """Pitch and voicing ``(2, t_a)`` of a mono waveform, ``t_a = 1 + len(wave) // hop``.

    Frames of ``n`` samples are centred on multiples of ``hop``, zeros beyond both ends. Row 0 is
    the best pitch in octaves above 200 Hz, of every frame, voiced or not; row 1 how much the frame
    resembles itself one period later, 0..1 (noise about 0.2, a clear voice above 0.9).
    """
    shortest = max(2, int(sample_rate / HIGHEST_HZ))
    longest = min(n // 2, int(sample_rate / LOWEST_HZ))
    left = n // 2
    padded = np.pad(wave.astype(np.float32, copy=False), (left, n - left))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n)[::hop][: 1 + len(wave) // hop]
    taper, taper_alike = _taper(n)
    size = fast_size(n + longest + 2)  # no lag that is read wraps around
    alike = np.empty((len(frames), longest + 2), np.float32)
    for at in range(0, len(frames), BLOCK):
        some = frames[at : at + BLOCK]
        spectrum = np.fft.rfft((some - some.mean(axis=1, keepdims=True)) * taper, size, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        alike[at : at + BLOCK] = np.fft.irfft(power, size, axis=1)[:, : longest + 2]
    alike /= alike[:, :1] + np.float32(1e-9)
    alike /= taper_alike[: longest + 2]
    lags = np.arange(shortest, longest + 1)
    cost = OCTAVE_COST * np.log2(lags / shortest)
    best = shortest + (alike[:, shortest : longest + 1] - cost).argmax(axis=1)
    rows = np.arange(len(best))
    before, at, after = (alike[rows, best + k] for k in (-1, 0, 1))
    bend = before - 2 * at + after
    peak = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1), 0)
    octaves = np.log2(sample_rate / (best + np.clip(peak, -0.5, 0.5)) / REFERENCE_HZ)
    return np.stack((_median(octaves), np.clip(at, 0, 1))).astype(np.float32)


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each value and its two neighbours, those at the ends repeated."""
    wide = np.pad(values, 1, mode="edge")
    return np.median(np.stack((wide[:-2], wide[1:-1], wide[2:])), axis=0)


@lru_cache(maxsize=8)
def _taper(n: int) -> tuple[Float, Float]:
    """A Hann window, and its own autocorrelation as a share of its energy."""
    taper = np.hanning(n)
    alike = np.fft.irfft(np.abs(np.fft.rfft(taper, 2 * n)) ** 2, 2 * n)[: n // 2 + 2]
    out = taper.astype(np.float32), (alike / alike[0]).astype(np.float32)
    for part in out:
        part.flags.writeable = False
    return out
