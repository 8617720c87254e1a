"""MFCC and log-mel features of a waveform, equal to librosa's.

Both start from the same mel spectrogram, with librosa's conventions: a periodic Hann window of
``n_fft`` samples, frames centred on multiples of ``hop`` with zeros beyond both ends, power
(squared magnitude), triangular filters on Slaney's mel scale from 0 Hz to half the sample rate,
each scaled to constant area. Shape legend: ``f`` features, ``t_a`` audio frames.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avtca.audio.pitch import pitch
from avtca.clipspec import ClipSpec
from avtca.errors import ConfigError, MediaError

MFCC_MELS = 128
"""Mel bands under the cepstrum."""
POWER_FLOOR = 1e-10
"""Power below which decibels are not followed: -100 dB."""
MFCC_TOP_DB = 80.0
"""Decibels under the loudest band of the window where the cepstrum's input is clipped."""

BLOCK = 64
"""Frames transformed at once: what they need fits the processor's cache, and is small enough for
the allocator to keep, which more than halves the time."""

LINEAR_HZ = 200 / 3
"""Hz a mel on the linear part of Slaney's scale (Auditory Toolbox, 1998)."""
LOG_FROM_HZ = 1000.0
"""Where Slaney's scale turns logarithmic."""
LOG_STEP = np.log(6.4) / 27
"""Log of the frequency ratio of one mel on the logarithmic part."""

Float = NDArray[np.float32]
Double = NDArray[np.float64]


def features(wave: Float, spec: ClipSpec) -> Float:
    """Audio features ``(f, t_a)`` float32 of a mono waveform ``(n,)``, ``t_a = 1 + n // hop``.

    ``spec.audio == "mfcc"``: the first ``audio_dim`` cepstral coefficients, an orthonormal
    DCT-II over 128 mel bands in dB, clipped 80 dB under the loudest band of the window.

    ``spec.audio == "logmel"``: ``audio_dim`` mel bands in dB, ``10 log10(max(power, 1e-10))``.
    There is no clipping under the loudest band, so a frame's values depend only on the
    ``n_fft`` samples around it.

    ``spec.audio == "logmel+pitch"``: the same bands, and two rows after them, see
    :func:`avtca.audio.pitch.pitch`.

    A waveform shorter than ``n_fft`` works: zeros surround it. Where ``n_fft`` is small for the
    number of bands, the lowest filters fall between two Fourier bins and read -100 dB, as in
    librosa. Raises :class:`~avtca.errors.ConfigError` for ``audio="features"`` (such sequences
    come from the corpus) or more than 128 MFCCs, :class:`~avtca.errors.MediaError` for samples
    that are not finite, ``ValueError`` for a waveform that is not floating point ``(n,)``.
    """
    wave = checked_wave(wave)
    if spec.audio == "mfcc":
        if spec.audio_dim > MFCC_MELS:
            raise ConfigError(
                f"compute {spec.audio_dim} MFCCs",
                f"there are {MFCC_MELS} mel bands to compute them from",
                f"set ClipSpec.audio_dim to {MFCC_MELS} or less",
            )
        bands = _mel_decibels(wave, spec, MFCC_MELS)
        bands = np.maximum(bands, bands.max() - MFCC_TOP_DB)
        # Not `@`, which threads would share; see _bands.
        cepstrum = np.einsum("km,mt->kt", _dct(spec.audio_dim, MFCC_MELS), bands)
        return np.asarray(cepstrum, np.float32)
    if spec.bands:
        mels: Float = _mel_decibels(wave, spec, spec.bands).astype(np.float32)
        if not spec.pitch:
            return mels
        return np.concatenate((mels, pitch(wave, spec.sample_rate, spec.n_fft, spec.hop)))
    raise ConfigError(
        "compute audio features from a waveform",
        f"ClipSpec.audio is {spec.audio!r}, sequences that a corpus ships",
        "use the sequences of the prepared corpus, or a model made for 'mfcc' or 'logmel'",
    )


def checked_wave(wave: Float) -> Float:
    """The waveform as float32, if it is a finite floating point ``(n,)``."""
    wave = np.asarray(wave)
    if wave.ndim != 1 or wave.dtype.kind != "f":
        raise ValueError(
            f"a floating point waveform (n,) is needed, found {wave.dtype} of shape {wave.shape}"
        )
    if not np.isfinite(wave).all():
        raise MediaError(
            "compute audio features",
            "the audio holds samples that are not finite numbers",
            "export the audio again, as 16-bit PCM for instance",
        )
    return wave.astype(np.float32, copy=False)


def _mel_decibels(wave: Float, spec: ClipSpec, n_mels: int) -> Double:
    """Mel power spectrogram ``(n_mels, t_a)`` in dB.

    In double precision: a single-precision transform leaves rounding noise of up to 0.01 dB in
    bands that are 90 dB below the frame's loudest.
    """
    left = spec.n_fft // 2
    padded = np.pad(wave.astype(np.float64), (left, spec.n_fft - left))
    frames = np.lib.stride_tricks.sliding_window_view(padded, spec.n_fft)[:: spec.hop]
    frames = frames[: 1 + len(wave) // spec.hop]
    mels = mel_power(frames, spec.sample_rate, n_mels)
    return np.asarray(10 * np.log10(np.maximum(mels, POWER_FLOOR)))


def mel_power(frames: Double, sample_rate: int, n_mels: int) -> Double:
    """Power of Hann-weighted frames ``(t, n_fft)`` in mel bands ``(n_mels, t)``, float64."""
    n_fft = frames.shape[1]
    filters = _bands(sample_rate, n_fft, n_mels)
    mels, taper = np.empty((n_mels, len(frames))), _hann(n_fft)
    for at in range(0, len(frames), BLOCK):
        spectrum = np.fft.rfft(frames[at : at + BLOCK] * taper, axis=-1)
        power = spectrum.real**2 + spectrum.imag**2
        for row, (first, weights) in enumerate(filters):
            mels[row, at : at + BLOCK] = power[:, first : first + len(weights)] @ weights
    return mels


@lru_cache(maxsize=16)
def _hann(n: int) -> Double:
    """Periodic Hann window."""
    return _frozen(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n))


@lru_cache(maxsize=16)
def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> Double:
    """Triangular filters ``(n_mels, 1 + n_fft // 2)`` float64, read-only, of constant area.

    Their corners are evenly spaced on Slaney's mel scale between 0 Hz and half the sample rate.
    """
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    corners = _mel_to_hz(np.linspace(0, _hz_to_mel(sample_rate / 2), n_mels + 2))
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return _frozen(np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low))


@lru_cache(maxsize=16)
def _bands(sample_rate: int, n_fft: int, n_mels: int) -> list[tuple[int, Double]]:
    """First bin and weights of each filter, where it is not zero.

    One product with all filters would be split between threads, which wait for each other twenty
    times as long as the work takes where another process has a core; these are too small for that.
    """
    filters = mel_filters(sample_rate, n_fft, n_mels)
    bins = [np.flatnonzero(row) for row in filters]
    first = [int(some[0]) if len(some) else 0 for some in bins]
    return [(a, row[a : a + len(some)]) for a, row, some in zip(first, filters, bins, strict=True)]


def _hz_to_mel(hz: float) -> float:
    if hz < LOG_FROM_HZ:
        return hz / LINEAR_HZ
    return float(LOG_FROM_HZ / LINEAR_HZ + np.log(hz / LOG_FROM_HZ) / LOG_STEP)


def _mel_to_hz(mels: Double) -> Double:
    turn = LOG_FROM_HZ / LINEAR_HZ
    bent = LOG_FROM_HZ * np.exp(LOG_STEP * np.maximum(0, mels - turn))
    return np.where(mels < turn, mels * LINEAR_HZ, bent)


@lru_cache(maxsize=16)
def _dct(n_out: int, n_in: int) -> Double:
    """First ``n_out`` rows of the orthonormal DCT-II of length ``n_in``."""
    rows = np.cos(np.pi / n_in * np.outer(np.arange(n_out), np.arange(n_in) + 0.5))
    rows *= np.sqrt(2 / n_in)
    rows[0] /= np.sqrt(2)
    return _frozen(rows)


def _frozen(values: Double) -> Double:
    values.flags.writeable = False
    return values
