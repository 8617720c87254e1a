"""Grey crops of mouths, cut from the luma of a frame as it was decoded."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from avtca.faces import TrackedFace
from avtca.faces.align import fit_similarity
from avtca.image import Image
from avtca.speaker.lips import CROP_PX, MOUTH_TEMPLATE

MAX_STEP_PX = 1.2
"""Pixels of a frame for each of a crop; where there are more, they are averaged first."""
UInt8 = NDArray[np.uint8]
Affine = tuple[float, float, float, float, float, float]
_POINTS = MOUTH_TEMPLATE * CROP_PX
_FULL_RANGE = np.clip((np.arange(256) - 16) * (255 / 219) + 0.5, 0, 255).astype(np.uint8)
"""Luma of 16 to 235 to that of 0 to 255."""


def mouth_place(face: TrackedFace) -> tuple[complex, complex]:
    """Where the crop of a face's mouth is: its point z, as ``x + iy``, is at ``turn * z + shift``.

    Both are linear in the landmarks, so that they can be interpolated in their place.
    """
    return fit_similarity(_POINTS, face.landmarks)


def mouth_crop(image: Image, turn: complex, shift: complex) -> UInt8:
    """Crop ``(64, 64)`` of a mouth; the edge of the frame is repeated.

    Args:
        image: The frame.
        turn: See :func:`mouth_place`.
        shift: See :func:`mouth_place`.
    """
    c, s = turn.real, turn.imag
    affine = c, -s, shift.real, s, c, shift.imag
    luma = image.luma(_box(affine, 2 + abs(turn)))
    affine = _after(luma.place, affine)
    scale = math.sqrt(abs(affine[0] * affine[4] - affine[1] * affine[3]))
    x0, y0, x1, y1 = _box(affine, 2 + scale)
    part = _cut(luma.values, math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))
    affine = _after((1, 0, -math.floor(x0), 0, 1, -math.floor(y0)), affine)
    seen = PillowImage.fromarray(part)
    if scale > MAX_STEP_PX:
        size = math.ceil(seen.width / scale), math.ceil(seen.height / scale)
        fx, fy = size[0] / seen.width, size[1] / seen.height
        seen = seen.resize(size, PillowImage.Resampling.BOX)
        affine = _after((fx, 0, 0, 0, fy, 0), affine)
    crop = seen.transform(
        (CROP_PX, CROP_PX),
        PillowImage.Transform.AFFINE,
        affine,
        PillowImage.Resampling.BICUBIC,
    )
    values = np.frombuffer(crop.tobytes(), np.uint8).reshape(CROP_PX, CROP_PX)
    return _FULL_RANGE[values] if luma.limited else values


def _box(affine: Affine, reach: float) -> tuple[float, float, float, float]:
    """What covers the crop in the frame, and more on each side."""
    a, b, c, d, e, f = affine
    a, b, d, e = a * CROP_PX, b * CROP_PX, d * CROP_PX, e * CROP_PX
    return (
        c + min(a, 0) + min(b, 0) - reach,
        f + min(d, 0) + min(e, 0) - reach,
        c + max(a, 0) + max(b, 0) + reach,
        f + max(d, 0) + max(e, 0) + reach,
    )


def _after(second: Affine, first: Affine) -> Affine:
    """One affine map after another."""
    a, b, c, d, e, f = first
    p, q, r, s, t, u = second
    return (
        p * a + q * d,
        p * b + q * e,
        p * c + q * f + r,
        s * a + t * d,
        s * b + t * e,
        s * c + t * f + u,
    )


def _cut(values: UInt8, x0: int, y0: int, x1: int, y1: int) -> UInt8:
    """A contiguous part; what is outside repeats the edge."""
    height, width = values.shape
    if x0 >= 0 and x1 <= width and y0 >= 0 and y1 <= height:
        return np.ascontiguousarray(values[y0:y1, x0:x1])
    rows = np.clip(np.arange(y0, y1), 0, height - 1)
    columns = np.clip(np.arange(x0, x1), 0, width - 1)
    return values[rows[:, None], columns]
