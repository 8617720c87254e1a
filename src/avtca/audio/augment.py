"""Waveform and feature augmentation, for training and for robustness curves.

Waveforms are float32 ``(n,)`` mono. Every function returns a new float32 array and leaves its
argument alone; all but :func:`speed` keep the length, and none moves the audio in time but
:func:`speed` and :func:`shift`. Nothing is clipped to -1..1. Chance comes only from the
``numpy.random.Generator`` given. Everything is computed in single precision, and transforms have
sizes that are quick (``transform_size``), so that a training loop is kept fed
(``benchmarks/loader.py``).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from avtca.audio.resampling import resample
from avtca.audio.transform_size import fast_size

Float = NDArray[np.float32]
Colour = Literal["white", "pink", "brown"]

NOISE_FROM_HZ = 20.0
"""Pink and brown noise start here: lower frequencies are inaudible."""
TILT = {"white": 0.0, "pink": -0.5, "brown": -1.0}
"""Exponent of frequency in the amplitude spectrum: 0, -3 and -6 dB an octave."""
DB = np.float32(np.log(10) / 10)
"""Natural logarithm of the power ratio of one decibel."""
BACKGROUND_DB = 6.0
"""Deviation of a background's own curve over the mel bands."""
EDGE = 0.1
"""Width of a band edge, as a share of its frequency."""


def gain(wave: Float, db: float) -> Float:
    """The waveform ``db`` decibels louder."""
    return np.asarray(wave * np.float32(10 ** (db / 20)), np.float32)


def shift(wave: Float, samples: int) -> Float:
    """The audio later by ``samples`` (earlier where negative); zeros fill, the length stays."""
    out = np.zeros(len(wave), np.float32)
    if samples >= 0:
        out[samples:] = wave[: max(0, len(wave) - samples)]
    else:
        out[:samples] = wave[-samples:]
    return out


def speed(wave: Float, factor: float) -> Float:
    """The audio played ``factor`` times as fast: ``(round(n / factor),)``, pitch moves along.

    The picture must be read ``factor`` times as fast too, or the streams come apart.
    """
    if factor <= 0:
        raise ValueError(f"speed factor must be positive, found {factor}")
    return resample(wave, factor, 1.0)


def add_noise(
    wave: Float, rate: float, snr_db: float, rng: np.random.Generator, *, colour: Colour = "white"
) -> Float:
    """Stationary noise, ``snr_db`` decibels under the mean power of the whole waveform.

    White has a flat spectrum, pink falls 3 dB and brown 6 dB an octave from 20 Hz. Silence has
    no signal to measure against and comes back unchanged.
    """
    n = len(wave)
    wave = wave.astype(np.float32)
    power = float(np.dot(wave, wave)) / n if n else 0.0
    if power == 0:
        return wave
    if colour == "white":
        noise = rng.standard_normal(n, np.float32)
    else:
        size = fast_size(n)
        tilt = _tilt(size, rate, colour)
        spectrum = rng.standard_normal(2 * len(tilt), np.float32).view(np.complex64)
        noise = np.asarray(np.fft.irfft(spectrum * tilt, size)[:n], np.float32)
    level = float(np.dot(noise, noise)) / n
    if level == 0:  # shorter than a period of the lowest frequency
        return wave
    wave += noise * np.float32(np.sqrt(power / 10 ** (snr_db / 10) / level))
    return wave


@lru_cache(maxsize=64)
def _tilt(size: int, rate: float, colour: Colour) -> Float:
    """Amplitude of each frequency of a real transform of ``size``, read-only."""
    hz = np.fft.rfftfreq(size, 1 / rate)
    out = np.where(hz >= NOISE_FROM_HZ, np.maximum(hz, NOISE_FROM_HZ) ** TILT[colour], 0.0)
    out = out.astype(np.float32)
    out.flags.writeable = False
    return out


def room_response(
    rate: float, rt60_s: float, rng: np.random.Generator, *, direct_to_reverb_db: float = 0.0
) -> Float:
    """A made impulse response ``(m,)``: a direct audio of 1 at once, then a dense tail.

    The tail is Gaussian noise whose energy falls 60 dB in ``rt60_s`` seconds (Polack's model of
    late reverberation), ``direct_to_reverb_db`` under the direct audio in total.
    """
    if rt60_s <= 0:
        raise ValueError(f"reverberation time must be positive, found {rt60_s} s")
    samples = np.arange(max(2, round(rt60_s * rate)), dtype=np.float32)
    out: Float = np.exp(samples * np.float32(-3 * np.log(10) / (rt60_s * rate)), dtype=np.float32)
    out[1:] *= rng.standard_normal(len(out) - 1, np.float32)
    tail = out[1:]
    tail *= np.float32(np.sqrt(10 ** (-direct_to_reverb_db / 10) / np.dot(tail, tail)))
    return out


def reverberate(
    wave: Float,
    rate: float,
    rt60_s: float,
    rng: np.random.Generator,
    *,
    direct_to_reverb_db: float = 0.0,
) -> Float:
    """The audio in a room of :func:`room_response`; what rings on past the end is cut."""
    n, wave = len(wave), wave.astype(np.float32)
    if not n:
        return wave
    response = room_response(rate, rt60_s, rng, direct_to_reverb_db=direct_to_reverb_db)
    size = fast_size(n + len(response) - 1)
    wet = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)
    return np.asarray(wet[:n].copy(), np.float32)


def band_limit(
    wave: Float, rate: float, *, low_hz: float = 0.0, high_hz: float | None = None
) -> Float:
    """Only the frequencies between ``low_hz`` and ``high_hz``, without delay.

    The filter is 1 inside the band and 0 beyond a raised-cosine edge that is a tenth of the
    corner frequency wide. Silence is taken to surround the waveform.
    """
    n, wave = len(wave), wave.astype(np.float32)
    if not n:
        return wave
    size = fast_size(n)
    hz = np.fft.rfftfreq(size, 1 / rate)
    keep = np.ones(len(hz), np.float32)
    if low_hz > 0:
        a, b = np.searchsorted(hz, (low_hz * (1 - EDGE), low_hz))
        keep[:a] = 0
        keep[a:b] *= _rise((hz[a:b] - low_hz * (1 - EDGE)) / (low_hz * EDGE))
    if high_hz is not None:
        a, b = np.searchsorted(hz, (high_hz, high_hz * (1 + EDGE)))
        keep[b:] = 0
        keep[a:b] *= _rise((high_hz * (1 + EDGE) - hz[a:b]) / (high_hz * EDGE))
    out = np.fft.irfft(np.fft.rfft(wave, size) * keep, size)
    return np.asarray(out[:n].copy(), np.float32)


def _rise(x: NDArray[np.floating[Any]]) -> Float:
    """Half a cosine from 0 to 1 for ``x`` in 0..1."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * x), np.float32)


def mu_law(wave: Float, bits: int = 8) -> Float:
    """The audio quantised to ``2 ** bits`` levels on the mu-law scale (ITU-T G.711's curve).

    Samples beyond -1..1 are clipped, as the codec would. Zero stays zero.
    """
    if not 2 <= bits <= 16:
        raise ValueError(f"mu-law takes 2 to 16 bits, found {bits}")
    mu, steps = 2**bits - 1, 2 ** (bits - 1) - 1
    levels = np.expm1(np.arange(steps + 1) / steps * np.log1p(mu)) / mu
    x = np.clip(wave.astype(np.float32), -1, 1)
    place = np.log(1 + np.abs(x) * np.float32(mu)) * np.float32(steps / np.log1p(mu))
    index = (place + np.float32(0.5)).astype(np.int32)
    out: Float = np.copysign(levels.astype(np.float32).take(index, mode="clip"), x)
    return out


def telephone(wave: Float, rate: float, *, bits: int = 8) -> Float:
    """A narrow-band call: 300 to 3400 Hz, 8 kHz, mu-law, back at ``rate`` with the same length."""
    narrow = band_limit(resample(wave, rate, 8000), 8000, low_hz=300, high_hz=3400)
    back = resample(mu_law(narrow, bits), 8000, rate)[: len(wave)]
    return np.pad(back, (0, len(wave) - len(back)))


def vary_channel(
    decibels: Float, rng: np.random.Generator, *, channel_db: float, noise: float
) -> Float:
    """Another microphone, distance and background, on mel bands ``(f, t_a)`` in dB.

    A smooth curve over the bands is added, the same at all frames: four cosines, together with a
    deviation of ``channel_db``. With probability ``noise`` a steady background is added in power,
    15 to 50 dB under the loudest value, with a smooth curve. It costs a hundredth of
    :class:`WaveAugment`, and has no rooms, codecs or noise that changes.
    """
    out = decibels + _smooth(len(decibels), channel_db, rng)[:, None]
    if rng.random() < noise and out.size:
        level = out.max() - rng.uniform(15.0, 50.0)
        background = level + _smooth(len(out), BACKGROUND_DB, rng)
        out = np.logaddexp(out * DB, background[:, None] * DB) / DB
    return np.asarray(out, np.float32)


def _smooth(size: int, deviation: float, rng: np.random.Generator) -> Float:
    """A random curve ``(size,)`` of four cosines, the slower the stronger."""
    waves = np.arange(1, 5)[:, None]
    shares = rng.standard_normal(4) / waves[:, 0]
    curve = shares @ np.cos(np.pi * waves * np.linspace(0, 1, size))
    return np.asarray(deviation * curve / np.sqrt((0.5 / waves**2).sum()), np.float32)


@dataclass(frozen=True, kw_only=True)
class WaveAugment:
    """A random chain for training: call it with ``(wave, rate, rng)``; the length stays.

    Every step but gain happens with probability ``chance``, its strength drawn evenly from its
    range ``(low, high)``, in the order room, noise, band limit, codec, gain. ``None`` switches
    a step off. Audio and picture stay in step: there is no change of speed.
    """

    chance: float = 0.3
    gain_db: tuple[float, float] | None = (-8.0, 8.0)
    rt60_s: tuple[float, float] | None = (0.1, 0.8)
    snr_db: tuple[float, float] | None = (5.0, 30.0)
    high_hz: tuple[float, float] | None = (2500.0, 7000.0)
    bits: tuple[int, int] | None = (6, 10)

    def __call__(self, wave: Float, rate: float, rng: np.random.Generator) -> Float:
        """A varied copy of ``wave (n,)``."""
        out = wave.astype(np.float32)
        if self.rt60_s and rng.random() < self.chance:
            ratio = rng.uniform(0, 15)
            out = reverberate(out, rate, rng.uniform(*self.rt60_s), rng, direct_to_reverb_db=ratio)
        if self.snr_db and rng.random() < self.chance:
            colours: tuple[Colour, ...] = ("white", "pink", "brown")
            colour = colours[int(rng.integers(3))]
            out = add_noise(out, rate, rng.uniform(*self.snr_db), rng, colour=colour)
        if self.high_hz and rng.random() < self.chance:
            out = band_limit(out, rate, high_hz=rng.uniform(*self.high_hz))
        if self.bits and rng.random() < self.chance:
            out = mu_law(out, int(rng.integers(self.bits[0], self.bits[1] + 1)))
        return gain(out, rng.uniform(*self.gain_db)) if self.gain_db else out
