"""Level of a waveform in the band of speech."""

import numpy as np
from numpy.typing import NDArray

LEVEL_RATE = 100
"""Levels a second."""
FRAME_S = 0.025
"""Seconds of audio behind a level."""
BAND_HZ = (100.0, 4000.0)
"""Where speech has its energy; hum and rumble lie below."""
SILENCE_DBFS = -90.0
"""Frames below this are digital silence."""
BLOCK = 128
"""Frames transformed at once: what they need fits the processor's cache."""


def band_level_db(wave: NDArray[np.float32], rate: float) -> NDArray[np.float64]:
    """Level in the speech band of each 10 ms, dB of the mean square (Hann-weighted)."""
    n = int(np.ceil(len(wave) * LEVEL_RATE / rate - 1e-9))
    size = max(2, round(FRAME_S * rate))
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    hz = np.fft.rfftfreq(size, 1 / rate)
    # One-sided spectrum: every bin but 0 Hz and half the rate stands for two.
    weight = np.where((hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1]), 2.0, 0.0)
    weight /= size * float(np.sum(window.astype(np.float64) ** 2))
    padded = np.pad(wave, (size // 2, size + round(rate / LEVEL_RATE) + 1))
    centres = np.round((np.arange(n) + 0.5) * rate / LEVEL_RATE).astype(np.int64)
    out = np.empty(n)
    for start in range(0, n, BLOCK):
        rows = centres[start : start + BLOCK, None] + np.arange(size)
        spectrum = np.fft.rfft(padded[rows] * window, axis=-1)
        power = spectrum.real**2 + spectrum.imag**2
        # Not `@`, which threads would share: they wait for each other where a core is busy.
        out[start : start + BLOCK] = np.einsum("tf,f->t", power, weight)
    return 10 * np.log10(np.maximum(out, 1e-12))
