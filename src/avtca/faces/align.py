"""Alignment: crop a face so that eyes, nose and mouth are at fixed positions.

The positions are those of the images that the packaged face network was trained on (FER2013,
labels FERPlus), so that video crops resemble its training images. They were measured:
``python benchmarks/faces.py template`` runs the face detector on 3,000 of these images, enlarged
four times with the edge repeated by 12 pixels (it finds a face in 97 %), takes the median position
of each landmark and averages it with its mirror image. The interquartile range of each position is
2.8 to 4.2 of 48 pixels, and of the roll 7 degrees.

The similarity transform is fitted to all five landmarks. On the RAVDESS clip and the six of
CREMA-D the corners of the crop then jitter by 0.51 of 48 pixels from frame to frame, against 0.54
for the eyes and the centre of the mouth, and 0.66 for the eyes alone (``python benchmarks/faces.py
fits``).
"""

import cmath
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from avtca.faces.types import Colour, Float, UInt8
from avtca.image import ArrayImage, Image

TEMPLATE: Float = np.array(
    [[14.9, 18.9], [33.1, 18.9], [24.0, 28.9], [16.6, 36.2], [31.4, 36.2]], np.float32
) / np.float32(48)
"""Right eye, left eye, nose, mouth corners in a crop, as fractions of its side, ``(5, 2)``."""


def align(rgb: UInt8, landmarks: Float, px: int, colour: Colour = "rgb") -> UInt8:
    """Crop and align a face.

    Large faces are averaged down, not subsampled. Where the crop extends over the edge of the
    frame, the edge is repeated.

    Args:
        rgb: uint8 ``(h, w, 3)``.
        landmarks: ``(5, 2)``, see :class:`Detection`.
        px: Side of the crop in pixels.
        colour: "rgb" or "grey".

    Returns:
        uint8 ``(px, px, 3)`` RGB, or ``(px, px)`` luma (ITU-R 601) for "grey".

    Raises:
        ValueError: The landmarks are a single point or not finite.
    """
    return align_image(ArrayImage(rgb), landmarks, px, colour)


def align_image(
    image: Image, landmarks: Float, px: int, colour: Colour = "rgb", template: Float = TEMPLATE
) -> UInt8:
    """As :func:`align`, of an image of which no more than the face is read.

    ``template`` has the positions of the landmarks, as fractions of the side of the crop.
    """
    turn, shift = fit_similarity(template * px, landmarks)
    c, s = turn.real, turn.imag
    reach = 2 + abs(turn)  # margin for interpolation
    across = _ends(shift.real, px * c, -px * s, reach)
    down = _ends(shift.imag, px * s, px * c, reach)
    x0, x1, width = _within(across, image.width, abs(turn))
    y0, y1, height = _within(down, image.height, abs(turn))
    part = image.part((x0, y0, x1, y1), (width, height))
    fx, fy = part.scale_x, part.scale_y
    left, right = (max(0, math.ceil(n * fx)) for n in (x0 - across[0], across[1] - x1))
    top, bottom = (max(0, math.ceil(n * fy)) for n in (y0 - down[0], down[1] - y1))
    seen = PillowImage.fromarray(part.rgb)
    if colour == "grey":
        seen = seen.convert("L")
    if left or top or right or bottom:  # repeat the edge of the frame
        sides = ((top, bottom), (left, right), (0, 0))
        values = np.asarray(seen)
        seen = PillowImage.fromarray(np.pad(values, sides[: values.ndim], mode="edge"))
    x, y = (shift.real - part.x0) * fx + left, (shift.imag - part.y0) * fy + top
    affine = (c * fx, -s * fx, x, s * fy, c * fy, y)
    crop = seen.transform(
        (px, px), PillowImage.Transform.AFFINE, affine, PillowImage.Resampling.BICUBIC
    )
    return np.asarray(crop)


def fit_similarity(
    source: NDArray[np.floating], target: NDArray[np.floating]
) -> tuple[complex, complex]:
    """Least-squares similarity transform of ``source (n, 2)`` to ``target (n, 2)``.

    With points as complex numbers ``x + iy``, ``target = turn * source + shift`` without
    reflection (Umeyama 1991, in the plane); ``abs(turn)`` is the scale. Raises ``ValueError``
    where either set is a single point or not finite.
    """
    weights, source_mid = _fit_weights(_complex(source))
    points = _complex(target)
    turn = sum((w * p for w, p in zip(weights, points, strict=True)), 0j)
    if not cmath.isfinite(turn) or abs(turn) < 1e-6:
        raise ValueError(f"landmarks that are not a face: {np.asarray(target).tolist()}")
    return turn, sum(points, 0j) / len(points) - turn * source_mid


@lru_cache(maxsize=16)
def _fit_weights(source: tuple[complex, ...]) -> tuple[list[complex], complex]:
    """Weights of the target's points in the turn, whose sum is 0, and the middle of the source."""
    middle = sum(source, 0j) / len(source)
    spread = max(sum(abs(p - middle) ** 2 for p in source), 1e-12)
    return [(p - middle).conjugate() / spread for p in source], middle


def _complex(points: NDArray[np.floating]) -> tuple[complex, ...]:
    return tuple(complex(x, y) for x, y in points.tolist())


def _ends(start: float, one: float, other: float, reach: float) -> tuple[float, float]:
    """Range of a parallelogram, of which two sides extend by ``one`` and ``other``."""
    return (
        start + min(one, 0) + min(other, 0) - reach,
        start + max(one, 0) + max(other, 0) + reach,
    )


def _within(ends: tuple[float, float], limit: int, scale: float) -> tuple[float, float, int]:
    """The part of a range that is in the image, and its length in pixels of the crop's scale."""
    low = min(max(ends[0], 0), limit - 1)
    high = min(max(ends[1], low + 1), limit)
    return low, high, max(1, round((high - low) / max(1.0, scale)))
