"""Shot boundary detection between frames a tenth to a third of a second apart.

Two cues have to agree. A colour histogram ignores movement but not a change of light; the frame
averaged in 9 x 16 cells, mean and contrast removed, ignores a change of light but not movement.
Both use the square root of the pixel values, so that dark scenes count. Measured at 4 and 10
frames a second on the sample clips: the five real cuts change 0.44 to 0.92 of the histogram and
correlate by -0.30 to 0.31. Of all other pairs of frames, the largest change is 0.23 and the
lowest correlation 0.25, and no pair reaches both thresholds. Dissolves, and cuts between two
people before the same background, are not detected.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avtca.faces.types import UInt8

CELLS = (9, 16)
BINS = 12
"""Bins of each colour in the joint histogram."""
SAMPLED_ROWS = 72
"""Approximate number of pixel rows used."""
MIN_CHANGE = 0.33
"""A cut changes at least this share of the histogram."""
MAX_CORRELATION = 0.6
"""Frames before and after a cut correlate by less than this."""

Int64 = NDArray[np.int64]
Descriptor = tuple[NDArray[np.float64], NDArray[np.float64]]

_ROOTS = np.sqrt(np.arange(256, dtype=np.float32)).astype(np.float64)
_LEVELS = np.minimum(np.sqrt(np.arange(256)) * (BINS / 16), BINS - 1).astype(np.int64)
_BINS = [_LEVELS * BINS**c for c in (2, 1, 0)]
"""Bin of each pixel value in the histogram, by colour; the three of a pixel are added."""


class ShotDetector:
    """Detects, frame after frame, whether a new shot has begun."""

    def __init__(self) -> None:
        self._last: Descriptor | None = None

    def is_new_shot(self, rgb: UInt8) -> bool:
        """Whether ``rgb (h, w, 3)`` begins a new shot; True for the first frame."""
        last, self._last = self._last, descriptor(rgb)
        if last is None or last[0].shape != self._last[0].shape:  # few pixels, few cells
            return True
        change = np.abs(self._last[1] - last[1]).sum() / 2
        correlation = float((self._last[0] * last[0]).sum())
        return bool(change > MIN_CHANGE and correlation < MAX_CORRELATION)


def descriptor(rgb: UInt8) -> Descriptor:
    """Cells of a frame ``CELLS + (3,)`` with mean 0 and norm 1, and its histogram with sum 1."""
    every = max(1, min(rgb.shape[:2]) // SAMPLED_ROWS)
    few = np.ascontiguousarray(rgb[every // 2 :: every, every // 2 :: every])
    root = _ROOTS.take(few)
    rows, columns, sizes = _cells(*few.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(root, rows), columns, axis=1)
    cells = sums / sizes[..., None]
    cells -= cells.mean(axis=(0, 1))
    red, green, blue = (_BINS[c].take(few[..., c]) for c in range(3))
    bins = (red + green + blue).ravel()
    histogram = np.bincount(bins, minlength=BINS**3) / len(bins)
    return cells / max(float(np.linalg.norm(cells)), 1e-6), histogram


@lru_cache(maxsize=8)
def _cells(height: int, width: int) -> tuple[Int64, Int64, Int64]:
    """First rows and columns of the cells of a frame, and the number of pixels of each cell.

    Frames with fewer pixels than cells have fewer cells.
    """
    rows, columns = (
        np.unique(np.arange(n) * cells // n, return_index=True)[1]
        for n, cells in zip((height, width), CELLS, strict=True)
    )
    sizes = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    return rows, columns, sizes
