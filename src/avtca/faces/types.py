"""What passes between the parts of this room, and out of it.

Boxes are ``x0 y0 x1 y1``. Positions are in pixels of the picture that was given, measured from its
upper left corner (the middle of the first pixel is 0.5, 0.5).
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Float = NDArray[np.float32]
Colour = Literal["rgb", "grey"]


class Picture(Protocol):
    """What is needed of a frame; ``media.Frame`` is one."""

    @property
    def step(self) -> int:
        """Step of the global clock."""

    @property
    def time_s(self) -> float:
        """Timestamp in seconds."""

    @property
    def rgb(self) -> UInt8:
        """The picture, ``(h, w, 3)``, upright."""


@dataclass(frozen=True, eq=False)
class Detection:
    """A face in a picture.

    ``box (4,)``: x0 y0 x1 y1, may reach over the picture's edge. ``landmarks (5, 2)``: x y of
    right eye, left eye, nose tip, right and left corner of the mouth; right is the person's own
    right, so the first eye is the left one as seen. ``confidence``: 0..1.
    """

    box: Float
    landmarks: Float
    confidence: float


@dataclass(frozen=True, eq=False)
class TrackedFace(Detection):
    """A :class:`Detection` with whose it is and when it was seen."""

    person: int
    step: int
    time_s: float


@dataclass(frozen=True, eq=False)
class TrackedCrop(TrackedFace):
    """A :class:`TrackedFace` with its aligned crop: uint8 ``(px, px, 3)`` RGB or ``(px, px)``."""

    crop: UInt8


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """One person from first to last sight, steps ascending.

    ``steps (n,)`` int64 on the global clock, ``times_s (n,)`` float64 timestamps, ``boxes (n, 4)``
    float32, ``confidence (n,)`` float32, ``crops (n, px, px[, 3])`` uint8, RGB or luma.
    """

    person: int
    steps: NDArray[np.int64]
    times_s: NDArray[np.float64]
    boxes: Float
    confidence: Float
    crops: UInt8

    def __len__(self) -> int:
        return len(self.steps)
