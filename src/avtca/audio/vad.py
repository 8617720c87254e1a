"""Where a waveform holds voice-like audio, by an energy rule."""

import numpy as np
from numpy.typing import NDArray

from avtca.audio.high_pass import high_pass

VOICE_RATE = 100
"""Decisions a second: one each 10 ms."""
FRAME_S = 0.025
"""Seconds of audio behind a decision."""
BAND_HZ = (100.0, 4000.0)
"""Where speech has its energy; hum and rumble lie below."""
FLOOR_DBFS = -55.0
"""Level in the band below which nothing counts as voice. 0 dBFS is a full-scale square wave."""
NOISE_PERCENTILE = 10
"""The background is taken as this percentile of the levels."""
MARGIN_DB = 9.0
"""How far voice must stand above the background."""
SILENCE_DBFS = -90.0
"""Frames below this are digital silence: they are not the background of the rest."""
GAP_S = 0.2
"""Shorter pauses inside speech count as speech (stops, unvoiced consonants)."""
BURST_S = 0.05
"""Shorter bursts are clicks."""
BLOCK = 4096
"""Frames transformed at once; keeps an hour of audio in little memory."""


def voice_activity(wave: NDArray[np.float32], rate: float) -> NDArray[np.bool_]:
    """Whether each 10 ms of a mono waveform ``(n,)`` at ``rate`` Hz hold voice-like audio.

    Returns bool ``(ceil(n * 100 / rate),)``, :data:`VOICE_RATE` decisions a second; decision
    ``k`` is about ``[k, k + 1) / 100`` s. The rule: the level between 100 and 4000 Hz, over
    25 ms, is above -55 dBFS and 9 dB above the background, which is the 10th percentile of the
    levels given (digital silence left out); pauses under 0.2 s are filled and bursts under
    0.05 s dropped.

    It knows energy only. Music, laughter, barking or any audio that comes and goes counts as
    voice; steady noise, hum and a steadily held vowel do not. Speech less than 9 dB above the
    noise is missed: of the decisions on clean RAVDESS and EMO-DB samples, 96 % remain under noise
    of 20 dB SNR, 86 to 91 % of 10 dB, 53 to 79 % of 5 dB, 12 to 46 % of 0 dB. The background is
    that of the waveform given, so give seconds, not syllables.
    """
    wave = np.asarray(wave, np.float32)
    level = band_level_db(high_pass(wave, rate), rate)
    heard = level[level > SILENCE_DBFS]
    if not len(heard):
        return np.zeros(len(level), np.bool_)
    threshold = max(FLOOR_DBFS, float(np.percentile(heard, NOISE_PERCENTILE)) + MARGIN_DB)
    voiced = level > threshold
    voiced = ~_drop_short(~voiced, round(GAP_S * VOICE_RATE), keep_ends=True)
    return _drop_short(voiced, round(BURST_S * VOICE_RATE), keep_ends=False)


def band_level_db(wave: NDArray[np.float32], rate: float) -> NDArray[np.float64]:
    """Level in the speech band of each 10 ms, dB of the mean square (Hann-weighted)."""
    n = int(np.ceil(len(wave) * VOICE_RATE / rate - 1e-9))
    size = max(2, round(FRAME_S * rate))
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    hz = np.fft.rfftfreq(size, 1 / rate)
    # One-sided spectrum: every bin but 0 Hz and half the rate stands for two.
    weight = np.where((hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1]), 2.0, 0.0)
    weight /= size * float(np.sum(window.astype(np.float64) ** 2))
    padded = np.pad(wave, (size // 2, size + round(rate / VOICE_RATE) + 1))
    centres = np.round((np.arange(n) + 0.5) * rate / VOICE_RATE).astype(np.int64)
    out = np.empty(n)
    for start in range(0, n, BLOCK):
        rows = centres[start : start + BLOCK, None] + np.arange(size)
        spectrum = np.fft.rfft(padded[rows] * window, axis=-1)
        power = spectrum.real**2 + spectrum.imag**2
        # Not `@`, which threads would share: they wait for each other where a core is busy.
        out[start : start + BLOCK] = np.einsum("tf,f->t", power, weight)
    return 10 * np.log10(np.maximum(out, 1e-12))


def _drop_short(on: NDArray[np.bool_], shortest: int, *, keep_ends: bool) -> NDArray[np.bool_]:
    """``on`` without its runs shorter than ``shortest``; those at the ends stay if asked to."""
    out = on.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2):
        at_end = start == 0 or stop == len(on)
        if stop - start < shortest and not (keep_ends and at_end):
            out[start:stop] = False
    return out
