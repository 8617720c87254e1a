"""Films of benchmarks/speed.py, made with PyAV from the real clips of ``../shared/samples``.

H.264 with B frames, 30 frames a second, AAC.
"""

import os
from collections.abc import Callable
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import av
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
CLIPS = {1: "01-01-01-01-01-01-01.mp4", 2: "obama_speech.mp4"}
"""Sample clips by their number of faces."""
FILMS = {
    "360": (360, 1, 60),
    "480": (480, 1, 60),
    "480-2": (480, 2, 60),
    "720": (720, 1, 60),
    "1080": (1080, 1, 30),
    "2160": (2160, 1, 10),
}
"""Height, faces and seconds of the files; large ones are short."""
HOUR, HOUR_HEIGHT, HOUR_FPS = 60, 360, 10
"""Minutes of the long file, its height, and its frames a second: as few as are used."""
FPS, AUDIO_RATE = 30, 48_000


def make(source: Path, target: Path, height: int, seconds: float, fps: int = FPS) -> None:
    """Write a clip, repeated to a length and scaled to a height."""
    with av.open(str(source)) as clip:
        stream = clip.streams.video[0]
        width = 2 * round(height * stream.width / stream.height / 2)
        frames = [
            frame.reformat(width, height, "yuv420p", threads=1).to_ndarray()
            for frame in islice(clip.decode(stream), 0, int(seconds * FPS), FPS // fps)
        ]
    resampler = av.AudioResampler("fltp", "mono", AUDIO_RATE)
    with av.open(str(source)) as clip:
        blocks = [b.to_ndarray() for f in clip.decode(audio=0) for b in resampler.resample(f)]
    wave = np.concatenate(blocks, axis=1)
    with av.open(str(target), "w") as out:
        video = out.add_stream("libx264", rate=fps, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = out.add_stream("aac", rate=AUDIO_RATE, layout="mono")
        at, n = 0, int(seconds * AUDIO_RATE)
        for k, values in enumerate(islice(cycle(frames), int(seconds * fps))):
            frame = av.VideoFrame.from_ndarray(values, format="yuv420p")
            frame.pts = k
            out.mux(video.encode(frame))
            while at < min(n, (k + 1) * AUDIO_RATE // fps):
                columns = np.arange(at, at + 1024) % wave.shape[1]
                part = np.ascontiguousarray(wave[:, columns])
                block = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                block.sample_rate, block.pts = AUDIO_RATE, at
                at += 1024
                out.mux(audio.encode(block))
        out.mux(video.encode())
        out.mux(audio.encode())


def repeat(source: Path, target: Path, times: int) -> None:
    """Write the packets of a clip several times, one after the other."""
    with av.open(str(target), "w") as out:
        streams: dict[int, Any] = {}
        for k in range(times):
            with av.open(str(source)) as clip:
                length = Fraction(clip.duration, av.time_base) + Fraction(1, 10)  # audio is longer
                for stream in clip.streams:
                    if stream.index not in streams:
                        streams[stream.index] = out.add_stream_from_template(stream)
                for packet in clip.demux():
                    if packet.dts is None or packet.pts is None:
                        continue
                    shift = round(k * length / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)


def made(path: Path, write: Callable[[Path], None]) -> Path:
    """The file, written first if it is not there."""
    if not path.exists():
        part = path.with_suffix(".part.mp4")
        write(part)
        part.rename(path)
    return path


def film(folder: Path, name: str) -> Path:
    """One of :data:`FILMS`."""
    height, faces, seconds = FILMS[name]
    source = SHARED / "samples" / CLIPS[faces]
    path = folder / f"{faces}_{height}p_{seconds}s.mp4"
    return made(path, lambda part: make(source, part, height, seconds))


def minute_and_hour(folder: Path) -> tuple[Path, Path]:
    """A minute, and an hour that repeats its packets."""
    minute, hour = folder / "minute.mp4", folder / "an_hour.mp4"
    source = SHARED / "samples" / CLIPS[1]
    made(minute, lambda part: make(source, part, HOUR_HEIGHT, 60, HOUR_FPS))
    made(hour, lambda part: repeat(minute, part, HOUR))
    return minute, hour
