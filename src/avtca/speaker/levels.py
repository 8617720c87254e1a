"""The level of speech over time, from a waveform that comes in blocks."""

import numpy as np
from numpy.typing import NDArray

from avtca.speaker.mouths import MOUTH_RATE

BAND_HZ = 600.0, 3000.0
"""Where a mouth that opens changes speech most: above the first formant of a closed one. Measured
against 250 to 4000 Hz on the talking clips of ``../shared`` (docs/speaker.md)."""
WINDOW_S = 0.12
"""Length of the Hann window."""


class SpeechLevels:
    """Level in decibels in :data:`BAND_HZ`, :data:`MOUTH_RATE` times a second.

    Value ``k`` is about the middle of ``[k, k + 1) / 25`` s.

    Attributes:
        first: Step of the first level that is kept.

    Args:
        rate: Sample rate in Hz.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._window = np.hanning(round(WINDOW_S * rate) + 2)[1:-1]
        hz = np.fft.rfftfreq(len(self._window), 1 / rate)
        self._bins = (hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1])
        first = self._start(0)
        self._wave: NDArray[np.float32] = np.zeros(max(0, -first), np.float32)
        self._at = first
        self.first = 0
        self._levels: list[float] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Add the next block ``(n,)``."""
        self._wave = np.concatenate((self._wave, block))
        n = len(self._window)
        while (start := self._start(self._next_step) - self._at) + n <= len(self._wave):
            spectrum = np.fft.rfft(self._wave[start : start + n] * self._window)[self._bins]
            power = float(np.square(np.abs(spectrum)).sum()) / n**2
            self._levels.append(10 * np.log10(power + 1e-12))
        drop = min(self._start(self._next_step) - self._at, len(self._wave))
        self._wave, self._at = self._wave[drop:], self._at + drop

    def values(self) -> NDArray[np.float64]:
        """The levels so far; those whose window extends beyond the end are missing."""
        return np.array(self._levels)

    def forget(self, before: int) -> None:
        """Drop the levels before a step."""
        drop = min(max(0, before - self.first), len(self._levels))
        del self._levels[:drop]
        self.first += drop

    @property
    def _next_step(self) -> int:
        return self.first + len(self._levels)

    def _start(self, k: int) -> int:
        return round((k + 0.5) / MOUTH_RATE * self._rate) - len(self._window) // 2
