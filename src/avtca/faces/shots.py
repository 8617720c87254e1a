"""Where one shot ends and the next begins, between frames a tenth to a third of a second apart.

Two cues have to agree. A histogram of colours is blind to movement but not to a lamp; the picture
in 9 x 16 cells, its mean and contrast taken out, is blind to a lamp but not to movement. Both use
the square root of the pixel values, so that dark stages count. Measured at 4 and 10 frames a
second on the sample clips: the five real cuts differ by 0.44 to 0.92 in colour and correlate by
-0.30 to 0.31; of all other pairs of frames the strongest differ by 0.23 and correlate by 0.25,
not by as much at once as the thresholds ask. Dissolves, and cuts between two persons before the
same background, are not found.
"""

import numpy as np
from numpy.typing import NDArray

from avtca.faces.types import UInt8

CELLS = (9, 16)
BINS = 12
"""Of each colour, in the histogram of all three."""
SAMPLED_ROWS = 72
"""About so many rows of pixels are looked at."""
LEAST_CHANGE = 0.33
"""Share of the picture whose colours are others."""
MOST_CORRELATION = 0.6

Sketch = tuple[NDArray[np.float64], NDArray[np.float64]]


class ShotWatch:
    """Tells, frame after frame, whether a new shot has begun."""

    def __init__(self) -> None:
        self._last: Sketch | None = None

    def is_new_shot(self, rgb: UInt8) -> bool:
        """Whether ``rgb (h, w, 3)`` is of another shot than the last frame; True for the first."""
        last, self._last = self._last, sketch(rgb)
        if last is None:
            return True
        change = np.abs(self._last[1] - last[1]).sum() / 2
        likeness = float((self._last[0] * last[0]).sum())
        return bool(change > LEAST_CHANGE and likeness < MOST_CORRELATION)


def sketch(rgb: UInt8) -> Sketch:
    """The cells of a picture ``CELLS + (3,)``, mean 0 and length 1, and its histogram, sum 1."""
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
