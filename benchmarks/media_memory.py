"""Peak memory and time of streaming an hour of video: the limit is 600 MB.

Creates an hour of small video (160 x 120, 10 frames per second, H.264 and AAC) in a temporary
folder, or uses a given file. Then reads frames at 10 per second and audio at 16 kHz in step, as the
recognizer does, in a separate process.

    python benchmarks/media_memory.py [FILE]

Measured on two shared cores with Python 3.11 and PyAV 18.1: peak 156 MB, 63 s to read.
"""

import argparse
import itertools
import multiprocessing
import resource
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from avtca.media import open_media

HOUR_S = 3600
FPS = 10
RATE = 16_000
LIMIT_MB = 600


def make_hour(path: Path, seconds: int = HOUR_S) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (240, 320, 3), np.uint8)
    wave = (0.1 * rng.standard_normal((1, RATE))).astype(np.float32)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "35"})
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        audio = out.add_stream("aac", rate=RATE, layout="mono")
        for second in range(seconds):
            for k in range(FPS):
                at = (second * FPS + k) % 120
                picture = np.ascontiguousarray(noise[at : at + 120, at : at + 160])
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = second * FPS + k, Fraction(1, FPS)
                out.mux(video.encode(frame))
            block = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            block.sample_rate, block.pts = RATE, second * RATE
            block.time_base = Fraction(1, RATE)
            out.mux(audio.encode(block))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def stream(path: str) -> None:
    start = time.perf_counter()
    clip = open_media(path)
    frames = samples = 0
    for frame, block in itertools.zip_longest(clip.frames(FPS), _by_tenths(clip.audio(RATE))):
        frames += frame is not None
        samples += 0 if block is None else len(block)
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{Path(path).name}: {clip.decoded_seconds:.1f} s read in {took:.1f} s, {frames} frames, "
        f"{samples} samples, peak {peak:.0f} MB (limit {LIMIT_MB})"
    )
    if peak > LIMIT_MB:
        raise SystemExit(1)


def _by_tenths(blocks):
    """Audio in blocks of one step, so that both streams are read at the same pace."""
    for block in blocks:
        yield from (block[at : at + RATE // FPS] for at in range(0, len(block), RATE // FPS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", help="a video instead of the hour made here")
    given = parser.parse_args().file
    with tempfile.TemporaryDirectory() as folder:
        path = given or str(Path(folder, "hour.mp4"))
        if given is None:
            make_hour(Path(path))
        child = multiprocessing.get_context("spawn").Process(target=stream, args=(path,))
        child.start()
        child.join()
    raise SystemExit(child.exitcode)


if __name__ == "__main__":
    main()
