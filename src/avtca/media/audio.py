"""Audio decoding: one contiguous mono waveform, resampled as a stream."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from avtca.media.container import (
    audio_stream,
    decode,
    open_container,
    read_only,
    seek_before,
    time_after,
)
from avtca.media.mixdown import Mono

if TYPE_CHECKING:
    from avtca.media.media_file import MediaFile

JITTER_S = Fraction(1, 20)
"""Tolerance of timestamps before a gap is filled or an overlap is cut."""

MIN_RATE = 1000
"""Audio with fewer samples a second has no voice; a small file of it could last for days."""
_BLOCK_S = 1
_ABRUPT = 1e-3


def read_audio(clip: "MediaFile", rate: int) -> Iterator[Mono]:
    """See :meth:`avtca.media.MediaFile.audio`."""
    resampler: Resampler | None = None
    for source_rate, block in _blocks(_contiguous(clip)):
        if resampler is None or resampler.source_rate != source_rate:
            if resampler is not None:
                yield from resampler(np.zeros(0, np.float32), last=True)
            resampler = Resampler(source_rate, rate)
        yield from resampler(block)
    if resampler is not None:
        yield from resampler(np.zeros(0, np.float32), last=True)
    clip.exhausted("audio")


class Resampler:
    """soxr as a stream; yields no empty blocks.

    soxr takes what is before and after the waveform for zeros. A waveform that starts or ends
    abruptly (an offset, hum) is held there instead, so that there is no click.
    """

    def __init__(self, source_rate: int, rate: int) -> None:
        self.source_rate, self.rate = source_rate, rate
        same = source_rate == rate
        self._stream = None if same else soxr.ResampleStream(source_rate, rate, 1, "float32")
        self._start = self._end = np.float32(0)
        self._n_in = self._n_out = 0

    def __call__(self, block: Mono, last: bool = False) -> Iterator[Mono]:
        """Resample the next block; with ``last`` also what the filter still holds."""
        if self._stream is not None:
            block = self._resample(self._stream, block, last)
        if len(block):
            yield block

    def _resample(self, stream: soxr.ResampleStream, block: Mono, last: bool) -> Mono:
        if len(block):
            if not self._n_in and abs(block[0]) > _ABRUPT:
                self._start = block[0]
            self._end = block[-1]
        self._n_in += len(block)
        held = last and abs(self._end - self._start) > _ABRUPT
        if held:
            block = np.concatenate((block, np.full(self.source_rate // 10, self._end)))
        if self._start:
            block = block - self._start
        out: Mono = stream.resample_chunk(block, last=last)
        if held:
            out = out[: int(self._n_in * self.rate / self.source_rate + 0.5) - self._n_out]
        self._n_out += len(out)
        return out + self._start if self._start else out


def _blocks(pieces: Iterator[tuple[int, Mono]]) -> Iterator[tuple[int, Mono]]:
    """The same waveform in blocks of about a second, each of one rate."""
    parts: list[Mono] = []
    part_rate = n = 0
    for rate, piece in pieces:
        if parts and (rate != part_rate or n >= rate * _BLOCK_S):
            yield part_rate, np.concatenate(parts)
            parts, n = [], 0
        parts.append(piece)
        part_rate, n = rate, n + len(piece)
    if parts:
        yield part_rate, np.concatenate(parts)


def _runs(frames: Iterable[VideoFrame | AudioFrame]) -> Iterator[list[AudioFrame]]:
    """Frames of one format that follow each other within a millisecond, about a second at most."""
    run: list[AudioFrame] = []
    n = 0
    for decoded in frames:
        frame = cast(AudioFrame, decoded)
        if run and not (n < frame.sample_rate * _BLOCK_S and _follows(frame, run[0], n)):
            yield run
            run, n = [], 0
        run.append(frame)
        n += frame.samples
    if run:
        yield run


def _follows(frame: AudioFrame, first: AudioFrame, n: int) -> bool:
    """Whether a frame is ``n`` samples after the first one, and of the same format."""
    same = (
        frame.format.name == first.format.name
        and frame.layout.name == first.layout.name
        and frame.sample_rate == first.sample_rate
        and frame.time_base == first.time_base
    )
    if not same or frame.pts is None or first.pts is None or not frame.time_base:
        return False
    base, rate = frame.time_base, frame.sample_rate
    off = (frame.pts - first.pts) * base.numerator * rate - n * base.denominator
    return abs(off) < rate * max(base.numerator, base.denominator // 1000)


def _contiguous(clip: "MediaFile") -> Iterator[tuple[int, Mono]]:
    """Contiguous ``(source rate, samples)`` from time zero on, gaps filled with zeros."""
    due: Fraction | None = None  # time of the next sample, seconds from time zero
    clock = clip.stream_clock(fills_gaps=True)
    with open_container(clip.path, clip.name) as container:
        stream = audio_stream(container, clip.audio_index)
        read_only(container, stream)
        if clip.whole:
            seek_before(container, stream, clip.zero)
        for run in _runs(decode(container, stream, clip.warn, clip.stopped, clip.concealed)):
            rate = run[0].sample_rate
            if rate < MIN_RATE:
                continue
            samples = clip.mixdown(run)
            stamp, last = time_after(run[0], clip.zero), time_after(run[-1], clip.zero)
            length = len(samples) / rate
            time = Fraction(clock.place(stamp, length, last))
            if due is None and time + length <= 0 and clip.whole:
                continue
            gap = time - (due or 0)
            if due is None:
                due = Fraction(0)
            elif stamp is None or abs(gap) <= JITTER_S:
                gap = Fraction(0)
            if clip.stop is not None and time >= clip.stop:
                clip.reached(float(clip.stop))
                gap, samples = clip.stop - due, samples[:0]
            if gap > 0:
                silence = round(gap * rate)
                for start in range(0, silence, rate):
                    yield rate, np.zeros(min(rate, silence - start), np.float32)
                due += Fraction(silence, rate)
            elif gap < 0:
                samples = samples[round(-gap * rate) :]
            if clip.stop is not None:
                samples = samples[: max(0, round((clip.stop - due) * rate))]
            if len(samples):
                due += Fraction(len(samples), rate)
                clip.reached(float(due))
                yield rate, samples
            if clip.stop is not None and due + Fraction(1, rate) > clip.stop:
                return
