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
    corners = np.array([0, px, 1j * px, px + 1j * px]) * turn + shift
    reach = 2 + abs(turn)  # margin for interpolation
    low = np.array([corners.real.min(), corners.imag.min()]) - reach
    high = np.array([corners.real.max(), corners.imag.max()]) + reach
    limit = np.array([image.width, image.height])
    start = np.clip(low, 0, limit - 1)
    stop = np.clip(high, start + 1, limit)
    size = np.maximum(np.round((stop - start) / max(1.0, abs(turn))), 1).astype(int)
    part = image.part([*start, *stop], (int(size[0]), int(size[1])))
    fx, fy = part.scale_x, part.scale_y
    left, top = (int(max(0, np.ceil(n))) for n in ((start - low) * (fx, fy)))
    right, bottom = (int(max(0, np.ceil(n))) for n in ((high - stop) * (fx, fy)))
    seen = PillowImage.fromarray(part.rgb)
    if colour == "grey":
        seen = seen.convert("L")
    if left or top or right or bottom:  # repeat the edge of the frame
        sides = ((top, bottom), (left, right), (0, 0))
        values = np.asarray(seen)
        seen = PillowImage.fromarray(np.pad(values, sides[: values.ndim], mode="edge"))
    c, s = turn.real, turn.imag
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
    a = np.asarray(source, np.float64) @ np.array([1, 1j])
    b = np.asarray(target, np.float64) @ np.array([1, 1j])
    a_mid, b_mid = a.mean(), b.mean()
    turn = np.vdot(a - a_mid, b - b_mid) / max(np.vdot(a - a_mid, a - a_mid).real, 1e-12)
    if not np.isfinite(turn) or abs(turn) < 1e-6:
        raise ValueError(f"landmarks that are not a face: {np.asarray(target).tolist()}")
    return complex(turn), complex(b_mid - turn * a_mid)
