"""Cut a face out of a picture so that eyes, nose and mouth come to fixed places.

The places are those of the pictures that the packaged face network learns from (FER2013, labels
FERPlus), so that a crop of a video looks to it like its training pictures. They were measured,
not chosen: ``python benchmarks/faces.py template`` runs the face detector over 3,000 of them,
enlarged four times with their edge repeated by 12 pixels (it finds a face in 97 %), takes the
median place of each landmark and averages it with its mirror image. The middle half of all
pictures spreads over 2.8 to 4.2 of 48 pixels about each place, and over 7 degrees of roll.

The fit is over all five points. On the RAVDESS clip and the six of CREMA-D, frame by frame, the
crop's corners then tremble by 0.51 pixels of 48, against 0.54 for eyes and the mouth's middle and
0.66 for the eyes alone (``python benchmarks/faces.py fits``).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avtca.faces.types import Colour, Float, UInt8

TEMPLATE: Float = np.array(
    [[14.9, 18.9], [33.1, 18.9], [24.0, 28.9], [16.6, 36.2], [31.4, 36.2]], np.float32
) / np.float32(48)
"""Right eye, left eye, nose, mouth corners in a crop, as fractions of its side, ``(5, 2)``."""


def align(rgb: UInt8, landmarks: Float, px: int, colour: Colour = "rgb") -> UInt8:
    """The face at ``landmarks (5, 2)`` of ``rgb (h, w, 3)``, as a square crop.

    Returns uint8 ``(px, px, 3)`` in RGB, or ``(px, px)`` of luma (ITU-R 601) for "grey". Large
    faces are averaged down, not sampled; where the crop reaches over the picture's edge, the edge
    is repeated. Raises ``ValueError`` where the landmarks are one point or not finite.
    """
    turn, shift = fit_similarity(TEMPLATE * px, landmarks)
    corners = np.array([0, px, 1j * px, px + 1j * px]) * turn + shift
    reach = 2 + abs(turn)  # what interpolation looks at beyond the corners
    x0, y0 = int(corners.real.min() - reach), int(corners.imag.min() - reach)
    x1, y1 = int(corners.real.max() + reach) + 1, int(corners.imag.max() + reach) + 1
    rows = np.clip(np.arange(y0, y1), 0, rgb.shape[0] - 1)
    columns = np.clip(np.arange(x0, x1), 0, rgb.shape[1] - 1)
    picture = Image.fromarray(rgb[rows[:, None], columns])
    if colour == "grey":
        picture = picture.convert("L")
    width, height = picture.size
    shrink = max(1.0, abs(turn))
    if shrink > 1:
        size = max(1, round(width / shrink)), max(1, round(height / shrink))
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    fx, fy = picture.size[0] / width, picture.size[1] / height
    c, s = turn.real, turn.imag
    x, y = shift.real - x0, shift.imag - y0
    affine = (c * fx, -s * fx, x * fx, s * fy, c * fy, y * fy)
    crop = picture.transform((px, px), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
    return np.asarray(crop)


def fit_similarity(
    source: NDArray[np.floating], target: NDArray[np.floating]
) -> tuple[complex, complex]:
    """Turn, scale and shift that bring ``source (n, 2)`` closest to ``target (n, 2)``.

    With points as complex numbers ``x + iy``: ``target = turn * source + shift`` in the least
    squares sense, without reflection (Umeyama 1991, in the plane). ``abs(turn)`` is the scale.
    Raises ``ValueError`` where either set is one point or not finite.
    """
    a = np.asarray(source, np.float64) @ np.array([1, 1j])
    b = np.asarray(target, np.float64) @ np.array([1, 1j])
    a_mid, b_mid = a.mean(), b.mean()
    turn = np.vdot(a - a_mid, b - b_mid) / max(np.vdot(a - a_mid, a - a_mid).real, 1e-12)
    if not np.isfinite(turn) or abs(turn) < 1e-6:
        raise ValueError(f"landmarks that are not a face: {np.asarray(target).tolist()}")
    return complex(turn), complex(b_mid - turn * a_mid)
