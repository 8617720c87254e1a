"""Decoded frames, of which only the parts that are looked at become RGB."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from avtca.image import Luma, Part, clip_box, grey, reduced_size, resize

UInt8 = NDArray[np.uint8]
Matrix = tuple[int, int, int, int]

PLANAR_420 = ("yuv420p", "yuvj420p")
"""Pixel formats of which a part is cut before it is converted."""
_LUMA_FIRST = (*PLANAR_420, "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12")
"""Pixel formats whose first plane is the luma in 8 bits."""
_FULL_RANGE = 2
"""FFmpeg's value of luma from 0 to 255."""
_AREA = "AREA"
"""FFmpeg's scaling by averaging."""


class DecodedImage:
    """A frame as it was decoded; colours are converted where and as large as it is read.

    Args:
        frame: The frame. It is not changed.
        size: Its width and height with square pixels, before it is turned.
        matrix: ``a, b, c, d`` of the display matrix: a stored point (x, y) goes to
            (ax + cy, bx + dy).
        side: Longest side of the reduced copy that is made at once; 0 for none.
        reformatter: Makes this copy. One for all frames of a video saves its preparations.

    Raises:
        av.FFmpegError: The frame cannot be converted. Also ``OSError``.
    """

    def __init__(
        self,
        frame: VideoFrame,
        size: tuple[int, int],
        matrix: Matrix,
        *,
        side: int,
        reformatter: VideoReformatter | None = None,
    ) -> None:
        self._frame, self._size = frame, size
        a, b, c, d = matrix
        self._swapped = abs(b) > abs(a)
        self._flip_x, self._flip_y = (c < 0, b < 0) if self._swapped else (a < 0, d < 0)
        self.width, self.height = size[::-1] if self._swapped else size
        self._small: UInt8 | None = None
        if side:
            small = _convert(frame, reduced_size(*size, side), reformatter)
            self._small = self._upright(small)

    @cached_property
    def rgb(self) -> UInt8:
        """See :meth:`avtca.image.Image.rgb`."""
        return self._whole(self._size)

    def reduced(self, side: int) -> UInt8:
        """See :meth:`avtca.image.Image.reduced`."""
        size = reduced_size(self.width, self.height, side)
        if self._small is not None and size[0] <= self._small.shape[1]:
            return resize(self._small, size)
        return self._whole(size[::-1] if self._swapped else size)

    def part(self, box: Sequence[float], size: tuple[int, int]) -> Part:
        """See :meth:`avtca.image.Image.part`."""
        x0, y0, x1, y1 = clip_box(box, self.width, self.height)
        frame, (width, height) = self._frame, self._size
        if frame.format.name not in PLANAR_420 or min(frame.width, frame.height) < 2:
            rgb = resize(self.rgb[y0:y1, x0:x1], size)
            return Part(rgb, x0, y0, size[0] / (x1 - x0), size[1] / (y1 - y0))
        if self._flip_x:
            x0, x1 = self.width - x1, self.width - x0
        if self._flip_y:
            y0, y1 = self.height - y1, self.height - y0
        if self._swapped:
            x0, y0, x1, y1, size = y0, x0, y1, x1, size[::-1]
        x_scale, y_scale = frame.width / width, frame.height / height
        left, right = _even(x0 * x_scale, x1 * x_scale, frame.width)
        top, bottom = _even(y0 * y_scale, y1 * y_scale, frame.height)
        rgb = self._upright(_convert(self._cut(left, top, right, bottom), size))
        edges = left / x_scale, top / y_scale, right / x_scale, bottom / y_scale
        if self._swapped:
            edges = edges[1], edges[0], edges[3], edges[2]
        x = self.width - edges[2] if self._flip_x else edges[0]
        y = self.height - edges[3] if self._flip_y else edges[1]
        across, down = edges[2] - edges[0], edges[3] - edges[1]
        return Part(rgb, x, y, rgb.shape[1] / across, rgb.shape[0] / down)

    def luma(self, box: Sequence[float]) -> Luma:
        """See :meth:`avtca.image.Image.luma`."""
        frame, name = self._frame, self._frame.format.name
        if name not in _LUMA_FIRST:
            x0, y0, x1, y1 = clip_box(box, self.width, self.height)
            part = self.part((x0, y0, x1, y1), (x1 - x0, y1 - y0))
            x, y = part.scale_x, part.scale_y
            return Luma(grey(part.rgb), (x, 0, -x * part.x0, 0, y, -y * part.y0))
        limited = not name.startswith("yuvj") and frame.color_range != _FULL_RANGE
        return Luma(self._luma, self._luma_place, limited)

    @cached_property
    def _luma(self) -> UInt8:
        plane = self._frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return rows[: self._frame.height, : self._frame.width]

    @cached_property
    def _luma_place(self) -> tuple[float, float, float, float, float, float]:
        """Place of the upright image's points in the stored frame."""
        across, down = self._frame.width / self._size[0], self._frame.height / self._size[1]
        x, x_start = (-1, self.width) if self._flip_x else (1, 0)
        y, y_start = (-1, self.height) if self._flip_y else (1, 0)
        if self._swapped:
            return 0, across * y, across * y_start, down * x, 0, down * x_start
        return across * x, 0, across * x_start, 0, down * y, down * y_start

    def _whole(self, size: tuple[int, int]) -> UInt8:
        return self._upright(_convert(self._frame, size))

    @cached_property
    def _planes(self) -> list[UInt8]:
        return _rows(self._frame)

    def _cut(self, left: int, top: int, right: int, bottom: int) -> VideoFrame:
        """A part of a 4:2:0 frame; all edges are even."""
        frame = self._frame
        cut = VideoFrame(right - left, bottom - top, frame.format.name)
        for plane, target, every in zip(self._planes, _rows(cut), (1, 2, 2), strict=True):
            part = plane[top // every : bottom // every, left // every : right // every]
            target[:, : part.shape[1]] = part
        cut.colorspace, cut.color_range = frame.colorspace, frame.color_range
        cut.color_primaries, cut.color_trc = frame.color_primaries, frame.color_trc
        return cut

    def _upright(self, rgb: UInt8) -> UInt8:
        if self._swapped:
            rgb = rgb.swapaxes(0, 1)
        rgb = rgb[:: -1 if self._flip_y else 1, :: -1 if self._flip_x else 1]
        return np.ascontiguousarray(rgb, dtype=np.uint8)


def _convert(
    frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter | None = None
) -> UInt8:
    """uint8 RGB ``(h, w, 3)`` at ``size`` (width, height).

    On one thread: by default FFmpeg starts one for each core, which takes longer than the scaling.
    """
    smaller = size[0] < frame.width or size[1] < frame.height
    interpolation = _AREA if smaller else None
    made = (reformatter or VideoReformatter()).reformat(
        frame, *size, format="rgb24", interpolation=interpolation, threads=1
    )
    rgb: UInt8 = made.to_ndarray()  # type: ignore[assignment]
    return rgb


def _even(low: float, high: float, length: int) -> tuple[int, int]:
    """Even pixels that cover ``low`` to ``high``, at least two; an odd last pixel is left out."""
    length -= length % 2
    start = min(2 * int(low / 2 + 1e-9), length - 2)
    return start, max(start + 2, min(2 * int(np.ceil(high / 2 - 1e-9)), length))


def _rows(frame: VideoFrame) -> list[UInt8]:
    """The planes of a frame in memory, each with its padding."""
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        for plane in frame.planes
    ]
