"""A high-pass filter against DC offsets, rumble and mains hum."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

STOP_HZ, PASS_HZ = 60.0, 85.0
"""Frequencies up to the first are removed, those from the second on are kept. The lowest voices
have a pitch of about 80 Hz."""
ATTENUATION_DB = 80.0
"""Attenuation below STOP_HZ; the ripple above PASS_HZ is under 0.001 dB."""
MATCH_S, STRIDE_S = 0.1, 0.001
"""Length and distance of the values that are compared to continue a waveform at its ends."""
SMOOTH_S = 0.01
"""Averaging of those values, which leaves the low frequencies."""
SEARCH_S, LAG_S = 0.25, 0.0002
"""Range of the lags at which they are compared, and their distance before refinement."""

Double = NDArray[np.float64]


def high_pass(wave: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """A waveform without frequencies below 60 Hz.

    A linear-phase filter, applied without delay. At both ends the waveform is continued by the
    part of it that fits best, so that offsets and tones have no transient there.

    Args:
        wave: Floating point ``(n,)``.
        rate: Sample rate in Hz.

    Returns:
        float32 ``(n,)``.
    """
    wave = np.asarray(wave)
    if len(wave) < 2:
        return np.zeros(len(wave), np.float32)
    half, low = _low_pass(rate)
    x = wave.astype(np.float64)
    padded = np.concatenate((_before(x, half, rate), x, _before(x[::-1], half, rate)[::-1]))
    size = 1 << (4 * len(low)).bit_length()
    step, spectrum = size - 2 * half, np.fft.rfft(low, size)
    out = np.empty(len(x), np.float32)
    for at in range(0, len(x), step):
        some = padded[at : at + size]
        smooth = np.fft.irfft(np.fft.rfft(some, size) * spectrum, size)[2 * half :]
        end = min(at + step, len(x))
        out[at:end] = x[at:end] - smooth[: end - at]
    return out


def _before(x: Double, n: int, rate: float) -> Double:
    """``n`` samples that continue ``x`` before its start, in frequencies below 60 Hz.

    They are what precedes the part of ``x`` that is most like its start. A waveform too short for
    that is reflected about its first sample.
    """
    width, smooth = round(MATCH_S * rate), max(1, round(SMOOTH_S * rate))
    stride, lag_stride = max(1, round(STRIDE_S * rate)), max(1, round(LAG_S * rate))
    n_lags = round(SEARCH_S * rate)
    needed = n + n_lags + width + smooth
    if len(x) < needed:
        return np.pad(x, (n, 0), mode="reflect", reflect_type="odd")[:n]
    total = np.concatenate(([0.0], np.cumsum(x[:needed])))
    level = (total[smooth:] - total[:-smooth]) / smooth
    start = level[:width:stride]
    views = np.lib.stride_tricks.sliding_window_view(level[n:], width)
    views = views[:n_lags, ::stride]
    coarse = lag_stride * _most_similar(views[::lag_stride], start)
    first = max(0, coarse - lag_stride)
    lag = first + _most_similar(views[first : coarse + lag_stride], start)
    shift = float((start - views[lag]).mean())
    return x[lag : lag + n] + shift


def _most_similar(rows: Double, to: Double) -> int:
    """The row that differs least from ``to``, apart from an offset."""
    difference = (rows - to).var(axis=1)
    return int(difference.argmin())


@lru_cache(maxsize=8)
def _low_pass(rate: float) -> tuple[int, Double]:
    """Half the length, and the taps of a low-pass filter (Kaiser window)."""
    width = 2 * np.pi * (PASS_HZ - STOP_HZ) / rate
    half = int(np.ceil((ATTENUATION_DB - 7.95) / (2.285 * width) / 2))
    t = np.arange(-half, half + 1)
    beta = 0.1102 * (ATTENUATION_DB - 8.7)
    taps = np.sinc((STOP_HZ + PASS_HZ) / rate * t) * np.kaiser(len(t), beta)
    taps /= taps.sum()
    taps.flags.writeable = False
    return half, taps
