"""Shot boundary detection between frames a tenth to a third of a second apart.

Two cues have to agree. A colour histogram ignores movement but not a change of light; the frame
averaged in 9 x 16 cells, mean and contrast removed, ignores a change of light but not movement.
Both use the square root of the pixel values, so that dark scenes count. Measured at 4 and 10
frames a second on the sample clips: the five real cuts change 0.44 to 0.92 of the histogram and
correlate by -0.30 to 0.31. Of all other pairs of frames, the largest change is 0.23 and the
lowest correlation 0.25, and no pair reaches both thresholds. Dissolves, and cuts between two
people before the same background, are not detected.
"""

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

Descriptor = tuple[NDArray[np.float64], NDArray[np.float64]]


class ShotDetector:
    """Detects, frame after frame, whether a new shot has begun."""

    def __init__(self) -> None:
        self._last: Descriptor | None = None

    def is_new_shot(self, rgb: UInt8) -> bool:
        """Whether ``rgb (h, w, 3)`` begins a new shot; True for the first frame."""
        last, self._last = self._last, descriptor(rgb)
        if last is None:
            return True
        change = np.abs(self._last[1] - last[1]).sum() / 2
        correlation = float((self._last[0] * last[0]).sum())
        return bool(change > MIN_CHANGE and correlation < MAX_CORRELATION)


def descriptor(rgb: UInt8) -> Descriptor:
    """Cells of a frame ``CELLS + (3,)`` with mean 0 and norm 1, and its histogram with sum 1."""
    every = max(1, min(rgb.shape[:2]) // SAMPLED_ROWS)
    few = np.sqrt(rgb[every // 2 :: every, every // 2 :: every].astype(np.float32))
    rows = np.arange(few.shape[0]) * CELLS[0] // few.shape[0]
    columns = np.arange(few.shape[1]) * CELLS[1] // few.shape[1]
    cell = (rows[:, None] * CELLS[1] + columns).ravel()
    pixels, count = few.reshape(-1, 3), CELLS[0] * CELLS[1]
    sums = np.stack([np.bincount(cell, pixels[:, c], count) for c in range(3)], axis=1)
    cells = sums / np.maximum(np.bincount(cell, minlength=count), 1)[:, None]
    cells -= cells.mean(axis=0)
    bins = np.minimum(pixels * (BINS / 16), BINS - 1).astype(np.int64) @ [BINS * BINS, BINS, 1]
    histogram = np.bincount(bins, minlength=BINS**3) / len(bins)
    return cells / max(float(np.linalg.norm(cells)), 1e-6), histogram
