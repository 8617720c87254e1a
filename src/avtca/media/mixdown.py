"""How the channels of a recording become one waveform: phase, scale and level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from avtca.audio import high_pass
from avtca.audio.level import SILENCE_DBFS, band_level_db
from avtca.errors import MediaError

OPPOSITE = 0.25
"""Channels cancel each other if their mean has less than this share of the energy that the mean of
unrelated channels would have."""
OVERSCALED = 4.0
"""Floating-point samples above this (1 is full scale) have another scale."""
FULL_SCALES = 64.0, 2.0**15, 2.0**23, 2.0**31
"""Scales of such samples: a recorder's headroom, or integers of 16, 24 and 32 bits."""
QUIET_DBFS, SILENT_DBFS = -45.0, -75.0
"""Recordings whose loudest parts are between these levels are amplified; what is below is no voice.
RAVDESS, a quiet corpus, is at -43."""
TARGET_DBFS, MAX_GAIN_DB = -20.0, 40.0
"""Level to which they are amplified, and the largest gain."""
MIN_RANGE_DB = 15.0
"""Smallest difference between the loudest and the quietest parts of speech; noise has less."""

MIN_SURROUND = 5
"""Fewest channels of surround sound."""
SURVEYED = 2_000_000
"""Most samples, of all channels, that are looked at: 20 s of stereo at 48 kHz, 2 min of a call."""

_MAX_LEVEL = 4.0
_FULL_SCALE = {"u8": 2**7, "s16": 2**15, "s32": 2**31, "flt": 1, "dbl": 1}

Mono = NDArray[np.float32]


@dataclass(frozen=True)
class Mixdown:
    """A waveform from channels.

    Attributes:
        channel: The only channel that is used; by default the mean of all.
        gain: Factor of the samples.
        silent: Whether nothing is heard.
        warnings: What is unusual.
    """

    channel: int | None = None
    gain: float = 1.0
    silent: bool = False
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: NDArray[np.float32], rate: float, centre: int | None = None) -> "Mixdown":
        """The mixdown that suits the start of a recording.

        Args:
            values: Samples ``(channels, n)``; full scale is 1.
            rate: Sample rate in Hz.
            centre: Centre channel of surround sound, where films have their speech.
        """
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        warnings, gain = [], 1.0
        peak = float(np.quantile(np.abs(values), 0.999)) if values.size else 0.0
        if peak > OVERSCALED:
            scale = next((x for x in FULL_SCALES if peak <= 1.1 * x), peak)
            warnings.append(
                f"the audio has samples up to {peak:.3g} where 1 is full scale: divided by "
                f"{scale:g}"
            )
            gain = 1 / scale
        heard = np.stack([high_pass(channel, rate) for channel in values]) * np.float32(gain)
        channel = centre if _is_heard(heard, centre) else _opposite(heard)
        if channel is not None and channel == centre:
            warnings.append(f"{len(values)} channels: the centre one alone is used")
        elif channel is not None:
            warnings.append(
                f"the channels are in opposite phase: channel {channel + 1} alone is used"
            )
        level = band_level_db(to_mono(heard, 1, channel=channel), rate)
        heard_level = level[level > SILENCE_DBFS]
        loud = float(np.percentile(heard_level, 99)) if len(heard_level) else -np.inf
        low = float(np.percentile(level, 10)) if len(level) else loud
        if SILENT_DBFS < loud < QUIET_DBFS and loud - low > MIN_RANGE_DB:
            more = round(min(TARGET_DBFS - loud, MAX_GAIN_DB))
            warnings.append(f"very quiet audio: amplified by {more} dB")
            gain *= 10 ** (more / 20)
        return cls(channel, gain, loud <= SILENT_DBFS, tuple(warnings))

    def __call__(self, frames: Sequence[AudioFrame]) -> Mono:
        """The waveform of frames of one format, float32 ``(n,)``; see :func:`to_mono`.

        Raises:
            MediaError: The sample format is unsupported.
        """
        parts, full_scales, zeros = zip(*map(_samples, frames), strict=True)
        values = np.concatenate(parts, axis=1)
        return to_mono(values, full_scales[0], zeros[0], channel=self.channel, gain=self.gain)


def channels(frame: AudioFrame) -> NDArray[np.float32]:
    """The samples of a frame ``(channels, n)``; full scale is 1."""
    values, full_scale, zero = _samples(frame)
    if values.dtype == np.float32:
        return values
    return ((values.astype(np.float64) - zero) / full_scale).astype(np.float32)


def to_mono(
    values: NDArray[Any],
    full_scale: int,
    zero: int = 0,
    *,
    channel: int | None = None,
    gain: float = 1.0,
) -> Mono:
    """Mean over the channels of ``values (channels, n)`` as float32 ``(n,)``.

    Args:
        values: Samples.
        full_scale: Value that becomes 1. Levels above full scale are kept up to 4.
        zero: Value that becomes 0.
        channel: The only channel to use.
        gain: Factor of the result.
    """
    if channel is not None:
        values = values[min(channel, len(values) - 1) :][:1]
    with np.errstate(invalid="ignore", over="ignore"):  # damaged floats; see nan_to_num below
        wave = values.mean(0, dtype=np.float64)
    if zero:
        wave -= zero
    wave = np.nan_to_num(wave / full_scale, nan=0.0) * gain
    out: Mono = np.clip(wave, -_MAX_LEVEL, _MAX_LEVEL).astype(np.float32)
    return out


def join(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The parts with as many channels as the first one."""
    same = [part for part in parts if len(part) == len(parts[0])]
    return np.concatenate(same, axis=1)


def centre_of(frame: AudioFrame) -> int | None:
    """The centre channel of surround sound with five channels or more."""
    names = [channel.name for channel in frame.layout.channels]
    return names.index("FC") if len(names) >= MIN_SURROUND and "FC" in names else None


def _is_heard(values: NDArray[np.float32], channel: int | None) -> bool:
    """Whether there is such a channel, no more than 20 dB below the loudest."""
    if channel is None:
        return False
    energy = np.square(values).mean(axis=1, dtype=np.float64)
    return bool(energy[channel] > max(0.01 * energy.max(), 10 ** (SILENT_DBFS / 10)))


def _opposite(values: NDArray[np.float32]) -> int | None:
    """The loudest of channels that cancel each other, ``None`` where they do not."""
    if len(values) < 2 or not values.size:
        return None
    energy = np.square(values).mean(axis=1, dtype=np.float64)
    of_mean = float(np.square(values.mean(axis=0)).mean(dtype=np.float64))
    audible = energy.max() > 10 ** (SILENT_DBFS / 10)
    if not audible or of_mean >= OPPOSITE * float(energy.sum()) / len(values) ** 2:
        return None
    return int(energy.argmax())


def _samples(frame: AudioFrame) -> tuple[NDArray[Any], int, int]:
    """Samples ``(channels, n)`` as stored, and the values that stand for full scale and zero."""
    name = frame.format.name.removesuffix("p")
    if name not in _FULL_SCALE:
        raise MediaError(
            "read the audio", f"its samples are {frame.format.name}", "convert it to 16-bit WAV"
        )
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    return values, _FULL_SCALE[name], 2**7 if name == "u8" else 0
