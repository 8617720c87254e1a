"""Tiny clips that the tests encode for themselves."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

W, H = 64, 48
RATE = 48_000


def flat(level: int, w: int = W, h: int = H) -> NDArray[np.uint8]:
    """A grey picture: its level survives any codec and says which picture it is."""
    return np.full((h, w, 3), level, np.uint8)


def levels(n: int) -> list[NDArray[np.uint8]]:
    """``n`` pictures told apart by their level: 20, 25, 30, ..."""
    return [flat(20 + 5 * k) for k in range(n)]


def index_of(rgb: NDArray[np.uint8]) -> int:
    """Which of :func:`levels` a decoded picture is."""
    return round((float(rgb.mean()) - 20) / 5)


def tone(
    seconds: float, rate: int = RATE, *, hz: float = 440, channels: int = 1
) -> NDArray[np.float32]:
    """A sine of amplitude 0.5, ``(channels, n)``."""
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.tile(wave.astype(np.float32), (channels, 1))


def beep(seconds: float, start: float, length: float, rate: int = RATE) -> NDArray[np.float32]:
    """Silence with a 1 kHz beep in it, ``(1, n)``."""
    wave = tone(seconds, rate, hz=1000)
    t = np.arange(wave.shape[1]) / rate
    wave[:, (t < start) | (t >= start + length)] = 0
    return wave


def encode(
    path: Path,
    *,
    pictures: Sequence[NDArray[np.uint8]] = (),
    times: Sequence[float] | None = None,
    fps: int = 10,
    video: str = "libx264",
    audios: Sequence[NDArray[np.float32]] = (),
    audio: str = "aac",
    rate: int = RATE,
    layout: str = "mono",
    audio_start: float = 0,
    gap: tuple[float, float] | None = None,
    rotation: float | None = None,
    hflip: bool = False,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip: ``pictures`` at ``times`` seconds (or ``fps``), a track for each of ``audios``.

    ``gap=(at, length)`` leaves a hole in the timestamps of the audio from ``at`` seconds on.
    """
    base = Fraction(1, 1000)
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        stream = None
        if len(pictures):
            h, w = pictures[0].shape[:2]
            stream = out.add_stream(video, rate=fps, options=_quick(video))
            stream.width, stream.height = w, h
            if video in {"mpeg4", "flv1", "mpeg2video", "mjpeg"}:
                stream.bit_rate = 2_000_000
            stream.pix_fmt = "yuvj420p" if video == "mjpeg" else "yuv420p"
            if times is not None:
                stream.codec_context.time_base = base
            if rotation is not None:
                stream.set_display_rotation(rotation, hflip=hflip)
        tracks = [out.add_stream(audio, rate=rate, layout=layout) for _ in audios]
        packets = []
        for k, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.time_base = Fraction(1, fps) if times is None else base
            frame.pts = k if times is None else round(times[k] * 1000)
            packets += stream.encode(frame)
        if stream is not None:
            packets += stream.encode(None)
        for track, wave in zip(tracks, audios, strict=True):
            packets += _encode_audio(track, wave, rate, layout, audio_start, gap)
        for packet in sorted(packets, key=lambda p: float(p.dts * p.time_base)):
            out.mux(packet)
    return path


def _quick(codec: str) -> dict[str, str]:
    return {
        "libx264": {"preset": "ultrafast", "crf": "20"},
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
        "libvpx": {"deadline": "realtime", "cpu-used": "8"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
        "libsvtav1": {"preset": "12"},
    }.get(codec, {})


def _encode_audio(track, wave, rate, layout, start, gap):
    size = track.codec_context.frame_size or 1024
    packets = []
    if not track.codec_context.is_open:
        track.codec_context.open()
        size = track.codec_context.frame_size or 1024
    resampler = av.AudioResampler(format=track.format.name, layout=layout, rate=rate)
    for at in range(0, wave.shape[1], size):
        piece = np.ascontiguousarray(wave[:, at : at + size])
        if gap is not None and gap[0] * rate <= at < (gap[0] + gap[1]) * rate:
            continue
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = at + round(start * rate)
        for converted in resampler.resample(frame):
            converted.pts, converted.time_base = frame.pts, frame.time_base
            packets += track.encode(converted)
    return packets + track.encode(None)
