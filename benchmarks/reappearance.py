"""Whether persons who return after a cut keep their number: films that are cut from real clips.

    python benchmarks/reappearance.py

Films A-B-A of the talking people: a second of A, a second of B, the next second of A, with the
clips of ../shared/talking, ../shared/corpora/cremad and ../shared/samples. In the third shot A has
the number of the first one (right), a number of its own (wrong split), or the number of B (wrong
merge); B in the second shot may have the number of A (wrong merge). Results go to
benchmarks/results/reappearance.json, and the table to the markers in docs/decisions.md.
"""

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
SIZE, RATE = (640, 480), 25
"""Width and height, and frames a second, of the films."""


def frames_of(path: Path, start_s: float, seconds: float) -> Iterator[NDArray[np.uint8]]:
    """Frames of a part of a clip, fitted into a film with black bars."""
    width, height = SIZE
    with av.open(str(path)) as clip:
        first = None
        for frame in clip.decode(video=0):
            time_s = float(frame.time or 0)
            first = time_s if first is None else first
            if time_s - first < start_s - 1e-6:
                continue
            if time_s - first >= start_s + seconds - 1e-6:
                return
            scale = min(width / frame.width, height / frame.height)
            size = [2 * round(scale * side / 2) for side in (frame.width, frame.height)]
            image = frame.to_ndarray(width=size[0], height=size[1], format="rgb24")
            canvas = np.zeros((height, width, 3), np.uint8)
            x, y = (width - size[0]) // 2, (height - size[1]) // 2
            canvas[y : y + size[1], x : x + size[0]] = image
            yield canvas


def make_film(target: Path, shots: Sequence[tuple[Path, float]], seconds: float = 1.0) -> Path:
    """Write a film without sound: of each clip some seconds from a start."""
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height = SIZE
        stream.time_base = Fraction(1, RATE)
        for path, start_s in shots:
            for image in islice(frames_of(path, start_s, seconds), round(RATE * seconds)):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())
    return target
