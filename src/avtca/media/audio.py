"""Decoded audio to one contiguous mono waveform, resampled as a stream."""

from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import numpy as np
import soxr
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from avtca.errors import MediaError
from avtca.media.container import choose_tracks, decode, open_container, read_only, timestamp
from avtca.media.media_file import MediaFile

JITTER_S = Fraction(1, 20)
"""Timestamps may be off by this much before a gap is filled or an overlap cut."""

_BLOCK_S = 1

_OVERS = 4.0
_FULL_SCALE = {"u8": 2**7, "s16": 2**15, "s32": 2**31, "flt": 1, "dbl": 1}

Mono = NDArray[np.float32]


def read_audio(clip: MediaFile, rate: int) -> Iterator[Mono]:
    """See :meth:`avtca.media.MediaFile.audio`."""
    resampler: _Resampler | None = None
    for source_rate, block in _blocks(_contiguous(clip)):
        if resampler is None or resampler.source_rate != source_rate:
            if resampler is not None:
                yield from resampler(np.zeros(0, np.float32), last=True)
            resampler = _Resampler(source_rate, rate)
        yield from resampler(block)
    if resampler is not None:
        yield from resampler(np.zeros(0, np.float32), last=True)
    clip.exhausted("audio")


class _Resampler:
    """soxr as a stream; yields only blocks that hold something."""

    def __init__(self, source_rate: int, rate: int) -> None:
        self.source_rate = source_rate
        same = source_rate == rate
        self._stream = None if same else soxr.ResampleStream(source_rate, rate, 1, "float32")

    def __call__(self, block: Mono, last: bool = False) -> Iterator[Mono]:
        if self._stream is not None:
            block = self._stream.resample_chunk(block, last=last)
        if len(block):
            yield block


def _blocks(pieces: Iterator[tuple[int, Mono]]) -> Iterator[tuple[int, Mono]]:
    """The same waveform in pieces of about a second, of one rate each."""
    held: list[Mono] = []
    held_rate = n = 0
    for rate, piece in pieces:
        if held and (rate != held_rate or n >= rate * _BLOCK_S):
            yield held_rate, np.concatenate(held)
            held, n = [], 0
        held.append(piece)
        held_rate, n = rate, n + len(piece)
    if held:
        yield held_rate, np.concatenate(held)


def _contiguous(clip: MediaFile) -> Iterator[tuple[int, Mono]]:
    """``(source rate, samples)`` that join from time zero on, gaps filled with zeros."""
    due: Fraction | None = None  # where the next sample belongs, seconds from time zero
    with open_container(clip.path) as container:
        stream = choose_tracks(container).audio
        if stream is None:
            return
        read_only(container, stream)
        for decoded in decode(container, stream, clip.warn):
            frame = cast(AudioFrame, decoded)
            rate = frame.sample_rate
            if rate <= 0:
                continue
            samples = mono(frame)
            stamp = timestamp(frame)
            gap = Fraction(0)
            if stamp is not None:
                gap = stamp - clip.zero - (due or 0)
            if due is None:
                due = Fraction(0)
            elif abs(gap) <= JITTER_S:
                gap = Fraction(0)
            if gap > 0 and not clip.timestamp_jump(float(gap), float(due + gap)):
                silence = round(gap * rate)
                for start in range(0, silence, rate):
                    yield rate, np.zeros(min(rate, silence - start), np.float32)
                due += Fraction(silence, rate)
            elif gap < 0:
                samples = samples[round(-gap * rate) :]
            if len(samples):
                due += Fraction(len(samples), rate)
                clip.reached(float(due))
                yield rate, samples


def mono(frame: AudioFrame) -> Mono:
    """Mean over the channels, float32 ``(n,)``, full scale -1..1, overs kept up to 4.

    Raises :class:`MediaError` for a sample format that is none of FFmpeg's usual ones.
    """
    name = frame.format.name.removesuffix("p")
    if name not in _FULL_SCALE:
        raise MediaError(
            "read the audio", f"its samples are {frame.format.name}", "convert it to 16-bit WAV"
        )
    values = frame.to_ndarray()
    channels = frame.layout.nb_channels
    values = values if frame.format.is_planar else values.reshape(-1, channels).T
    with np.errstate(invalid="ignore", over="ignore"):  # damaged floats; see nan_to_num below
        wave = values.mean(0, dtype=np.float64)
    if name == "u8":
        wave -= 2**7
    wave = np.nan_to_num(wave / _FULL_SCALE[name], nan=0.0)
    out: Mono = np.clip(wave, -_OVERS, _OVERS).astype(np.float32)
    return out
