"""Types of the face package.

Boxes are ``x0 y0 x1 y1``. Positions are in pixels of the frame, measured from its upper left
corner (the centre of the first pixel is 0.5, 0.5).
"""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from avtca.image import Image

UInt8 = NDArray[np.uint8]
Float = NDArray[np.float32]
Colour = Literal["rgb", "grey"]


class FrameLike(Protocol):
    """What tracking needs of a frame; :class:`avtca.media.Frame` is one."""

    @property
    def step(self) -> int:
        """Step of the global clock."""

    @property
    def time_s(self) -> float:
        """Timestamp in seconds."""

    @property
    def held_s(self) -> float:
        """Of a frame that is repeated: seconds since its own step, 0 otherwise."""

    @property
    def image(self) -> Image:
        """Upright image."""


FrameT = TypeVar("FrameT", bound=FrameLike)


@dataclass(frozen=True, eq=False)
class Detection:
    """A face in a frame.

    Attributes:
        box: float32 ``(4,)``, x0 y0 x1 y1; may extend over the edge of the frame.
        landmarks: float32 ``(5, 2)``, x y of right eye, left eye, nose tip, right and left corner
            of the mouth. Right is the person's own right, so the first eye is the left one in the
            image.
        confidence: 0..1.
    """

    box: Float
    landmarks: Float
    confidence: float

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


@dataclass(frozen=True, eq=False)
class TrackedFace(Detection):
    """A :class:`Detection` with its person number, step of the global clock and timestamp."""

    person: int
    step: int
    time_s: float


@dataclass(frozen=True, eq=False)
class TrackedCrop(TrackedFace):
    """A :class:`TrackedFace` with its aligned crop: uint8 ``(px, px, 3)`` RGB or ``(px, px)``."""

    crop: UInt8
