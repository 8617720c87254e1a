"""BlazeFace (Bazarevsky et al. 2019) with landmarks of MediaPipe's face mesh, in onnxruntime.

The networks are MediaPipe's, converted by ``experiments/default_model/blazeface.py``: the detector
for short range finds large faces in a copy of at most :data:`SMALL_PX` pixels, the dense detector
for full range finds the others. Both are run on the image as it is, padded to a multiple of their
strides, instead of a square of fixed size. The detectors have no corners of the mouth, so that the
mesh places the five landmarks; on the speakers of ``../shared`` the corners of the crop then jitter
by 0.22 instead of 0.28 of 48 pixels.

Shape legend: ``n`` candidates; ``(n, 8, 2)`` are x and y in pixels of the low and the high corner
of the box, right eye, left eye, nose, middle of the mouth, and both ears.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from avtca.faces.align import TEMPLATE
from avtca.faces.scale import detect_reduced
from avtca.faces.types import Detection, Float, UInt8
from avtca.image import reduced_size, resize
from avtca.networks import packaged_network

SHORT = ("blazeface_short.onnx", "825f1a3e306caa2dedb684bd89f2a62ca06e838cceb5408c805a64fd1bc451f2")
FULL = ("blazeface_full.onnx", "f28ab9c4b8a12c764cafa3029c1013543cdc05c2182052a6cf28a687bae85117")
MESH = ("face_mesh.onnx", "e4f0c2ac7eb6ecee60f7cf18dab0673c306190cef25fb9a7a4c4d9e058a9bf32")
"""Packaged file and its sha256."""
ANCHORS = {SHORT: ((8, 2), (16, 6)), FULL: ((4, 1),)}
"""Strides of a detector, and candidates at each place."""
GRID = 32
"""Both sides of an image are multiples of it."""
SMALL_PX, MESH_PX = 128, 192
"""Longest side of the copy for large faces; side of the mesh's crop."""
LARGE = 0.4
"""A face that covers this share of the image leaves no room for others."""
MIN_CONFIDENCE = 0.5
"""Fainter candidates, and landmarks of a mesh that is less certain of a face, are dropped."""
OVERLAP = 0.3
"""Candidates that overlap by more than this share of their union are of the same face."""
MESH_SCALE = 1.5
"""Side of the mesh's crop over the longer side of the box."""
MOUTH = float((TEMPLATE[4, 0] - TEMPLATE[3, 0]) / (TEMPLATE[1, 0] - TEMPLATE[0, 0]))
"""Width of a mouth over the distance of the eyes, where there is no mesh."""


class BlazeFaceDetector:
    """BlazeFace with the landmarks of the face mesh.

    Raises :class:`CheckpointError` where a file of the package is missing or damaged.
    """

    name = "blazeface"
    upright_confidence = 0.9
    """Upright faces of good quality reach this confidence, turned ones do not (see upright.py)."""

    def __init__(self) -> None:
        self._networks = {each: packaged_network(*each) for each in (SHORT, FULL, MESH)}

    def detect(self, rgb: UInt8) -> list[Detection]:
        """Faces in ``rgb (h, w, 3)`` uint8, in its pixels, the most confident first."""
        return detect_reduced(rgb, self._detect)

    def _detect(self, rgb: UInt8) -> list[Detection]:
        height, width = rgb.shape[:2]
        size = reduced_size(width, height, SMALL_PX)
        points, scores = np.zeros((0, 8, 2), np.float32), np.zeros(0, np.float32)
        if size != (width, height):
            points, scores = self._candidates(SHORT, resize(rgb, size))
            points = points * np.divide((width, height), size).astype(np.float32)
        area = np.prod(points[:, 1] - points[:, 0], axis=1)
        if not (area > LARGE * width * height).any():
            more, their_scores = self._candidates(FULL, rgb)
            points, scores = np.concatenate([points, more]), np.concatenate([scores, their_scores])
        points, scores = merge(points, scores)
        if not len(points):
            return []
        landmarks, certain = self._mesh_landmarks(rgb, points)
        landmarks = np.where(certain[:, None, None], landmarks, five_landmarks(points))
        return [
            Detection(box=one[:2].ravel(), landmarks=five, confidence=float(score))
            for one, five, score in zip(points, landmarks, scores, strict=True)
        ]

    def _candidates(self, network: tuple[str, str], rgb: UInt8) -> tuple[Float, Float]:
        """Points ``(n, 8, 2)`` and probabilities ``(n,)`` of the faces that a detector proposes."""
        height, width = rgb.shape[:2]
        rows, columns = -(-height // GRID), -(-width // GRID)
        image = np.zeros((1, rows * GRID, columns * GRID, 3), np.uint8)
        image[0, :height, :width] = rgb
        values, logits = self._networks[network].run(["points", "scores"], {"image": image})
        scores = _probability(logits[0, :, 0])
        chosen = scores > MIN_CONFIDENCE
        values = values[0, chosen].reshape(-1, 8, 2)
        values[:, [0, 2, 3, 4, 5, 6, 7]] += anchors(network, *image.shape[1:3])[chosen, None]
        centre, half = values[:, 0].copy(), values[:, 1] / 2
        values[:, 0], values[:, 1] = centre - half, centre + half
        positive = (half > 0).all(axis=1)
        return values[positive], scores[chosen][positive]

    def _mesh_landmarks(self, rgb: UInt8, points: Float) -> tuple[Float, NDArray[np.bool_]]:
        """Five landmarks ``(n, 5, 2)`` of upright crops, and whether the mesh sees a face ``(n,)``.

        Positions are complex numbers ``x + iy``: ``place = turn * crop + shift``.
        """
        image = PillowImage.fromarray(rgb)
        places = points.astype(np.float64) @ np.array([1, 1j])  # (n, 8)
        low, high = places[:, 0], places[:, 1]
        eyes = places[:, 3] - places[:, 2]
        side = MESH_SCALE * np.maximum((high - low).real, (high - low).imag)
        turn = eyes / np.maximum(abs(eyes), 1e-6) * side / MESH_PX
        turn = np.where(abs(eyes) > 0, turn, side / MESH_PX)
        shift = (low + high) / 2 - turn * (1 + 1j) * MESH_PX / 2
        crops = [
            image.transform(
                (MESH_PX, MESH_PX),
                PillowImage.Transform.AFFINE,
                (t.real, -t.imag, s.real, t.imag, t.real, s.imag),
                PillowImage.Resampling.BILINEAR,
            )
            for t, s in zip(turn.tolist(), shift.tolist(), strict=True)
        ]
        inputs = {"image": np.stack([np.asarray(crop) for crop in crops])}
        found, logits = self._networks[MESH].run(["points", "scores"], inputs)
        placed = found.astype(np.float64) @ np.array([1, 1j]) * turn[:, None] + shift[:, None]
        landmarks = np.stack([placed.real, placed.imag], axis=-1).astype(np.float32)
        return landmarks, _probability(logits) > MIN_CONFIDENCE


def anchors(network: tuple[str, str], height: int, width: int) -> Float:
    """Places ``(n, 2)`` in pixels from which a detector measures its points."""
    found = []
    for stride, copies in ANCHORS[network]:
        y, x = np.mgrid[: height // stride, : width // stride]
        places = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * stride
        found.append(places.repeat(copies, axis=0))
    return np.concatenate(found).astype(np.float32)


def merge(points: Float, scores: Float) -> tuple[Float, Float]:
    """One candidate for each face, the most confident first.

    The candidates that overlap the best one are averaged, weighted by their probabilities; the
    probability is that of the best.

    Args:
        points: ``(n, 8, 2)``.
        scores: ``(n,)``.

    Returns:
        The same of the faces.
    """
    order = np.argsort(-scores, kind="stable")
    area = np.prod(points[:, 1] - points[:, 0], axis=1)
    faces, confidences = [np.zeros((0, 8, 2), np.float32)], []
    while len(order):
        best = order[0]
        low = np.maximum(points[best, 0], points[order, 0])
        high = np.minimum(points[best, 1], points[order, 1])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        same = shared > OVERLAP * (area[best] + area[order] - shared)
        same[0] = True
        share = scores[order[same]] / scores[order[same]].sum()
        faces.append((points[order[same]] * share[:, None, None]).sum(axis=0, keepdims=True))
        confidences.append(scores[best])
        order = order[~same]
    return np.concatenate(faces), np.array(confidences, np.float32)


def five_landmarks(points: Float) -> Float:
    """Landmarks ``(n, 5, 2)`` of a detector's points, with a mouth as wide as usual."""
    reach = (points[:, 3] - points[:, 2]) * np.float32(MOUTH / 2)
    mouth = points[:, 5]
    return np.stack([*points[:, 2:5].swapaxes(0, 1), mouth - reach, mouth + reach], axis=1)


def blazeface_version() -> str:
    """MediaPipe's version. Raises :class:`CheckpointError` where a file is damaged or missing."""
    for each in (SHORT, FULL, MESH):
        packaged_network(*each)
    return "mediapipe 0.10.21"


def _probability(logits: NDArray[Any]) -> Float:
    out: Float = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return out
