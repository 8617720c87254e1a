"""MTCNN in numpy: three small networks that propose and refine faces and their landmarks.

Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", IEEE Signal Processing Letters 23(10), 2016. The weights are those in the wheel
``mtcnn`` 1.0 (MIT): lists of float32 arrays, convolutions ``(kh, kw, c_in, c_out)`` and bias, then
the slopes of the PReLU. The package itself is not imported, as it needs TensorFlow.

Shape legend: ``n`` images or boxes, ``h``, ``w``, ``c`` channels. Boxes are x0 y0 x1 y1.
"""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from avtca.errors import MissingExtra
from avtca.faces.scale import detect_reduced
from avtca.faces.types import Detection, Float, UInt8

MIN_FACE = 16
"""Side in pixels of the smallest face searched for, in the reduced frame."""
PYRAMID = 0.709
"""Ratio of one pyramid level to the next (square root of a half)."""
CELL, STRIDE = 12, 2
"""Receptive field and stride of P-Net in pixels."""
PROPOSE, REFINE, ACCEPT = 0.6, 0.7, 0.9
"""Minimum probability of a face after P-Net, R-Net and O-Net."""
FIX = "pip install mtcnn==1.0.0 joblib lz4"


class MtcnnDetector:
    """Faces by MTCNN. Raises :class:`MissingExtra` where its weights cannot be read."""

    name = "mtcnn"

    def __init__(self) -> None:
        self._pnet, self._rnet, self._onet = (_weights(f"{name}net.lz4") for name in "pro")

    def detect(self, rgb: UInt8) -> list[Detection]:
        """Faces in ``rgb (h, w, 3)`` uint8, in its pixels, the most confident first."""
        return detect_reduced(rgb, self._detect)

    def _detect(self, rgb: UInt8) -> list[Detection]:
        image = Image.fromarray(rgb)
        boxes = self._propose(image)
        boxes, _, _ = self._narrow(image, boxes, self._rnet, 24, REFINE)
        boxes, scores, landmarks = self._narrow(image, boxes, self._onet, 48, ACCEPT)
        return [
            Detection(box=box, landmarks=points, confidence=float(score))
            for box, points, score in zip(boxes, landmarks, scores, strict=True)
        ]

    def _propose(self, image: Image.Image) -> Float:
        """Candidate boxes ``(n, 4)`` of P-Net over the image pyramid."""
        found, scores = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
        scale = CELL / MIN_FACE
        while min(image.size) * scale >= CELL:
            size = int(np.ceil(image.width * scale)), int(np.ceil(image.height * scale))
            small = image.resize(size, Image.Resampling.BILINEAR)
            offset, face = _pnet(_normal(np.asarray(small)[None]), self._pnet)
            y, x = np.nonzero(face[0] > PROPOSE)
            corner = np.stack([x, y, x, y], axis=1) * STRIDE + [0, 0, CELL, CELL]
            boxes = ((corner + offset[0, y, x] * CELL) / scale).astype(np.float32)
            keep = _suppress(boxes, face[0, y, x], 0.5)
            found.append(boxes[keep])
            scores.append(face[0, y, x][keep])
            scale *= PYRAMID
        boxes = np.concatenate(found)
        return boxes[_suppress(boxes, np.concatenate(scores), 0.7)]

    def _narrow(
        self, image: Image.Image, boxes: Float, net: list[Float], side: int, min_face: float
    ) -> tuple[Float, Float, Float]:
        """Boxes ``(n, 4)``, probabilities ``(n,)``, landmarks ``(n, 5, 2)`` of R-Net or O-Net."""
        boxes = np.round(_square(boxes))
        boxes = boxes[boxes[:, 2] - boxes[:, 0] >= 2]
        if not len(boxes):
            return boxes, np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        patches = [
            image.crop(tuple(box)).resize((side, side), Image.Resampling.BILINEAR)
            for box in boxes.astype(int).tolist()
        ]
        offset, landmarks, face = _dense_net(
            _normal(np.stack([np.asarray(p) for p in patches])), net
        )
        size = boxes[:, 2:3] - boxes[:, :1]
        points = boxes[:, None, :2] + size[:, None] * landmarks
        boxes = boxes + offset * size
        kept = np.flatnonzero(face > min_face)
        kept = kept[_suppress(boxes[kept], face[kept], 0.7, of_smaller=len(net) > 16)]
        return boxes[kept], face[kept], points[kept]


def mtcnn_version() -> str:
    """Version of the wheel. Raises :class:`MissingExtra` where the weights cannot be read."""
    _weights("pnet.lz4")
    return version("mtcnn")


def _weights(file: str) -> list[Float]:
    try:
        import joblib

        version("mtcnn")
        spec = find_spec("mtcnn")
        folder = Path(next(iter(spec.submodule_search_locations or []))) if spec else Path()
        weights: list[Float] = joblib.load(folder / "assets" / "weights" / file)
    except (ImportError, PackageNotFoundError, StopIteration, OSError, ValueError) as error:
        raise MissingExtra(
            "find faces with mtcnn",
            f"its weights cannot be read ({type(error).__name__}: {error})",
            FIX,
        ) from error
    return weights


def _pnet(x: Float, net: list[Float]) -> tuple[Float, Float]:
    """``x (n, h, w, 3)`` to box offsets ``(n, h', w', 4)`` and face probability ``(n, h', w')``."""
    x = _max_pool(_convolve(x, *net[0:3]), 2)
    x = _convolve(_convolve(x, *net[3:6]), *net[6:9])
    return x @ net[9][0, 0] + net[10], _face(x @ net[11][0, 0] + net[12])


def _dense_net(x: Float, net: list[Float]) -> tuple[Float, Float, Float]:
    """R-Net (16 arrays, 24 px) or O-Net (21 arrays, 48 px) on ``x (n, px, px, 3)``.

    Returns box offsets ``(n, 4)`` and landmarks ``(n, 5, 2)``, both as fractions of the box, and
    the face probability ``(n,)``. R-Net has no landmarks and returns zeros.
    """
    has_points = len(net) > 16
    x = _max_pool(_convolve(x, *net[0:3]), 3, ceil=True)
    x = _max_pool(_convolve(x, *net[3:6]), 3)
    x = _convolve(x, *net[6:9])
    if has_points:
        x = _convolve(_max_pool(x, 2), *net[9:12])
    x = x.transpose(0, 2, 1, 3).reshape(len(x), -1)  # columns first, as the weights were trained
    dense, bias, slope, *heads = net[12:] if has_points else net[9:]
    x = _prelu(x @ dense + bias, slope)
    offset = x @ heads[0] + heads[1]
    face = _face(x @ heads[-2] + heads[-1])
    if not has_points:
        return offset, np.zeros((len(x), 5, 2), np.float32), face
    landmarks = (x @ heads[2] + heads[3]).reshape(-1, 2, 5).transpose(0, 2, 1)
    return offset, landmarks, face


def _normal(images: UInt8) -> Float:
    return (images.astype(np.float32) - np.float32(127.5)) / np.float32(128)


def _convolve(x: Float, kernel: Float, bias: Float, slope: Float) -> Float:
    """Valid convolution and PReLU: windows laid out as rows, then one product."""
    kh, kw, c_in, c_out = kernel.shape
    windows = sliding_window_view(x, (kh, kw), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    rows = windows.reshape(-1, kh * kw * c_in)
    out = rows @ kernel.reshape(-1, c_out) + bias
    return _prelu(out, slope.reshape(-1)).reshape(*windows.shape[:3], c_out)


def _prelu(x: Float, slope: Float) -> Float:
    return np.where(x > 0, x, x * slope)


def _max_pool(x: Float, size: int, *, ceil: bool | None = None) -> Float:
    """Stride 2. With ``ceil`` (always for size 2) the last window may extend over the edge."""
    if ceil or size == 2:
        pad = [(-(x.shape[axis] - size)) % 2 for axis in (1, 2)]
        x = np.pad(x, ((0, 0), (0, pad[0]), (0, pad[1]), (0, 0)), constant_values=-np.inf)
    h, w = ((x.shape[axis] - size) // 2 * 2 + 1 for axis in (1, 2))
    out = x[:, :h:2, :w:2]
    for i, j in list(np.ndindex(size, size))[1:]:
        out = np.maximum(out, x[:, i : i + h : 2, j : j + w : 2])
    return out


def _face(logits: Float) -> Float:
    """Probability of the second of two classes."""
    out: Float = 1 / (1 + np.exp(logits[..., 0] - logits[..., 1]))
    return out


def _square(boxes: Float) -> Float:
    """Boxes with both sides as long as the longer, about the same centre."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def _suppress(
    boxes: Float, scores: Float, max_overlap: float, *, of_smaller: bool = False
) -> NDArray[np.int64]:
    """Non-maximum suppression: indices of the boxes kept, best first.

    Overlap is intersection over union, or over the smaller box with ``of_smaller``.
    """
    order = np.argsort(-scores, kind="stable")
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[order, :2])
        high = np.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        smaller = np.minimum(area[best], area[order])
        whole = smaller if of_smaller else area[best] + area[order] - shared
        order = order[shared <= max_overlap * whole]
    return np.array(kept, np.int64)
