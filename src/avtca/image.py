"""Images of which only parts are read, and only as large as needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

UInt8 = NDArray[np.uint8]

SMALL_SIDE = 320
"""Longest side in pixels of the copy of a frame on which faces are searched."""


@dataclass(frozen=True)
class Part:
    """A part of an image, resized.

    A point of the image is at ``(point - (x0, y0)) * (scale_x, scale_y)`` of ``rgb``.

    Attributes:
        rgb: uint8 ``(h, w, 3)``.
        x0: Left edge of the part in pixels of the image.
        y0: Upper edge of the part in pixels of the image.
        scale_x: Pixels of ``rgb`` for each pixel of the image.
        scale_y: The same for rows.
    """

    rgb: UInt8
    x0: float
    y0: float
    scale_x: float
    scale_y: float


@dataclass(frozen=True)
class Luma:
    """Brightness of a part of an image, or more, as it is stored: perhaps turned or mirrored.

    A point (x, y) of the image is at ``(ax + by + c, dx + ey + f)`` of ``values``.

    Attributes:
        values: uint8 ``(h, w)``, a view where possible.
        place: ``a, b, c, d, e, f``.
        limited: Whether black is 16 and white 235.
    """

    values: UInt8
    place: tuple[float, float, float, float, float, float]
    limited: bool = False


class Image(Protocol):
    """An upright RGB image."""

    @property
    def width(self) -> int:
        """Pixels."""

    @property
    def height(self) -> int:
        """Pixels."""

    @property
    def rgb(self) -> UInt8:
        """All of it, uint8 ``(h, w, 3)``."""

    def reduced(self, side: int) -> UInt8:
        """All of it with a longest side of at most ``side`` pixels, averaged down."""

    def part(self, box: Sequence[float], size: tuple[int, int]) -> Part:
        """A part of the image, averaged down or enlarged.

        Args:
            box: ``x0 y0 x1 y1`` with at least a pixel inside the image. The part is this box
                clipped to the image, and up to two pixels more on each side.
            size: Width and height of the result.
        """

    def luma(self, box: Sequence[float]) -> Luma:
        """Brightness of at least the box ``x0 y0 x1 y1`` clipped to the image."""


class ArrayImage:
    """An image in memory, uint8 ``(h, w, 3)``."""

    def __init__(self, rgb: UInt8) -> None:
        self.rgb = rgb
        self.height, self.width = rgb.shape[:2]
        self._reduced: tuple[int, UInt8] | None = None

    def reduced(self, side: int) -> UInt8:
        """See :meth:`Image.reduced`."""
        if self._reduced is None or self._reduced[0] != side:
            self._reduced = side, resize(self.rgb, reduced_size(self.width, self.height, side))
        return self._reduced[1]

    def part(self, box: Sequence[float], size: tuple[int, int]) -> Part:
        """See :meth:`Image.part`."""
        x0, y0, x1, y1 = clip_box(box, self.width, self.height)
        rgb = resize(self.rgb[y0:y1, x0:x1], size)
        return Part(rgb, x0, y0, size[0] / (x1 - x0), size[1] / (y1 - y0))

    def luma(self, box: Sequence[float]) -> Luma:
        """See :meth:`Image.luma`."""
        x0, y0, x1, y1 = clip_box(box, self.width, self.height)
        return Luma(grey(self.rgb[y0:y1, x0:x1]), (1, 0, -x0, 0, 1, -y0))


def grey(rgb: UInt8) -> UInt8:
    """Luma ``(h, w)`` of ITU-R 601."""
    return np.asarray(PillowImage.fromarray(np.ascontiguousarray(rgb)).convert("L"))


def reduced_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height with a longest side of at most ``side``, at least a pixel."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def clip_box(box: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """The whole pixels of an image that cover ``x0 y0 x1 y1``, at least one."""
    x0 = min(max(int(np.floor(box[0])), 0), width - 1)
    y0 = min(max(int(np.floor(box[1])), 0), height - 1)
    x1, y1 = int(np.ceil(box[2])), int(np.ceil(box[3]))
    return x0, y0, max(x0 + 1, min(x1, width)), max(y0 + 1, min(y1, height))


def resize(rgb: UInt8, size: tuple[int, int]) -> UInt8:
    """``rgb`` at ``size`` (width, height), averaged down where smaller; contiguous."""
    if (rgb.shape[1], rgb.shape[0]) == size:
        return np.ascontiguousarray(rgb)
    image = PillowImage.fromarray(np.ascontiguousarray(rgb))
    return np.asarray(image.resize(size, PillowImage.Resampling.BILINEAR, reducing_gap=2.0))
