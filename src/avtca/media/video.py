"""Video decoding: upright RGB frames on the global clock."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image as PillowImage

from avtca.errors import MediaError
from avtca.image import SMALL_SIDE, ArrayImage, Image
from avtca.media.clock import HALF_MS, MAX_HOLD_S, SAME_S, dense_frames, seconds_after
from avtca.media.container import (
    LARGE_PIXELS,
    MAX_PIXELS,
    UNDECODABLE,
    decode,
    is_still,
    open_container,
    read_only,
    seek_before,
    time_after,
    video_stream,
)
from avtca.media.decoded import DecodedImage, Matrix
from avtca.media.sampled import PacketChoice
from avtca.media.types import Frame, Moment

if TYPE_CHECKING:
    from avtca.media.media_file import MediaFile

PIXELS_PER_BYTE = 2**17
"""Most pixels of a video for each byte of its file, after the first :data:`MIN_PIXELS`. Black
1080p without audio, in AV1, has half of that; a still face has less than a five-hundredth."""
MIN_PIXELS = 2**28
_UNSPECIFIED = 2
"""FFmpeg's value of an unspecified colour matrix, primaries and transfer function."""
_QUARTERS = ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))
"""Display matrices of 0, 90, 180 and 270 degrees counterclockwise."""
_EXIF_ORIENTATION = 0x0112
_MIRRORED = {2: (-1, 0, 0, 1), 4: (1, 0, 0, -1), 5: (0, 1, 1, 0), 7: (0, -1, -1, 0)}
"""Display matrices of the values of the Exif orientation that mirror the image."""


def read_frames(clip: "MediaFile", rate: float, dense_rate: float = 0.0) -> Iterator[Frame]:
    """See :meth:`avtca.media.MediaFile.frames`."""
    with open_container(clip.path, clip.name) as container:
        stream = video_stream(container, clip.video_index)
        aspect, still = pixel_aspect(stream), is_still(container, stream)
        timed = (
            (time, min(float(frame.time_base or 2 * HALF_MS) / 2, HALF_MS), (frame, length))
            for time, length, frame in timed_frames(clip, stream, rate, dense_rate)
        )
        size: tuple[int, int] | None = None
        reformatter = VideoReformatter()
        for step, time_s, (frame, length), dense in dense_frames(timed, rate, dense_rate):
            image: Image | None = convert(clip, frame, aspect, still, reformatter)
            if image is None:
                continue
            size = size or (image.width, image.height)
            if (image.width, image.height) != size:
                clip.warn(f"frames of several sizes: all were fitted into {size[0]}x{size[1]}")
                image = ArrayImage(fit(image.rgb, size))
            length_s = length if clip.stop is None else min(length, float(clip.stop) - time_s)
            moments = tuple(
                Moment(at_s, image if one is frame else unread(one, frame, aspect, still))
                for at_s, (one, _) in dense
                if (one.width, one.height) == (frame.width, frame.height)
            )
            yield Frame(step, time_s, image, length_s, dense=moments)
    clip.exhausted("video")


def timed_frames(
    clip: "MediaFile", stream: VideoStream, rate: float, dense_rate: float = 0.0
) -> Iterator[tuple[float, float, VideoFrame]]:
    """Frames with their seconds from the clip's time zero, and their lengths in seconds.

    Of the frames that are not the nearest to the middle of a step, of ``rate`` or ``dense_rate`` a
    second, some are left out (:class:`PacketChoice`).

    In a part of a file, the frame that is shown at its start comes first, at time zero. The one
    that is shown at its end comes again, a millisecond before the end, if its own length does not
    reach so far. How far decoding came is recorded.
    """
    container = stream.container
    read_only(container, stream)  # type: ignore[arg-type]
    if clip.whole:
        seek_before(container, stream, clip.zero)  # type: ignore[arg-type]
    interval = float(1 / stream.average_rate) if stream.average_rate else 0.04
    last: float | None = None
    pixels_left = MIN_PIXELS + PIXELS_PER_BYTE * clip.path.stat().st_size
    clock = clip.stream_clock()
    before: tuple[float, VideoFrame] | None = None  # the frame that is shown so far
    stop = None if clip.stop is None else float(clip.stop)
    choice = None if clip.is_image else PacketChoice(rate, clip.zero, clip.stop, dense_rate)
    for decoded in decode(container, stream, clip.warn, clip.stopped, clip.concealed, choice):  # type: ignore[arg-type]
        frame = cast(VideoFrame, decoded)
        if clip.is_image:
            yield 0.0, 0.0, frame
            return
        pixels_left -= frame.width * frame.height
        if pixels_left < 0:
            raise MediaError(
                f"read {clip.name}",
                f"its frames have over {PIXELS_PER_BYTE} pixels for each byte of the file",
                "give a recording, not a file made to waste time",
            )
        length = frame_length(frame) or interval
        time = clock.place(time_after(frame, clip.zero), length)
        if clip.whole:
            if before and before[0] < 0 < time <= before[0] + MAX_HOLD_S:
                yield 0.0, time, before[1]
            if stop is not None and time >= stop:
                if before and frame_length(before[1]) + SAME_S < stop - before[0] <= MAX_HOLD_S:
                    yield max(before[0], stop - 2 * HALF_MS), 2 * HALF_MS, before[1]
                clip.reached(stop)
                return
            before = time, frame
        if time < 0:
            continue
        if last is not None and time > last:
            interval = time - last
        last = time if last is None else max(last, time)
        clip.reached(time + length)
        yield time, frame_length(frame), frame
    if before and before[0] < 0 and (end := before[0] + frame_length(before[1])) > SAME_S:
        clip.reached(end)
        yield 0.0, end, before[1]


def frame_length(frame: VideoFrame) -> float:
    """Seconds until the next frame is due, 0 where unknown."""
    if not frame.duration or not (base := frame.time_base):
        return 0.0
    return seconds_after(frame.duration, base)


def pixel_aspect(stream: VideoStream) -> Fraction:
    """Width of a stored pixel over its height; 1 where it is missing or implausible."""
    aspect = stream.sample_aspect_ratio
    return aspect if aspect and Fraction(1, 4) <= aspect <= 4 else Fraction(1)


def square_size(frame: VideoFrame, aspect: Fraction, still: bool) -> tuple[int, int]:
    """Width and height with square pixels, within :data:`MAX_PIXELS`.

    Frames of a video above :data:`LARGE_PIXELS` are reduced to half the width and height.
    """
    width, height = max(1, round(frame.width * aspect)), frame.height
    if width * height > MAX_PIXELS:
        width, height = frame.width, max(1, round(frame.height / aspect))
    if still or width * height <= LARGE_PIXELS:
        return width, height
    return max(1, width // 2), max(1, height // 2)


def convert(
    clip: "MediaFile",
    frame: VideoFrame,
    aspect: Fraction,
    still: bool,
    reformatter: VideoReformatter | None = None,
) -> DecodedImage | None:
    """The image with square pixels, turned and mirrored by the display matrix.

    An unknown colour matrix becomes the default one, with a warning. Returns ``None``, with a
    warning, for a frame that cannot be converted.
    """
    size = square_size(frame, aspect, still)
    matrix = (mirrored(clip.path) if clip.is_image else None) or orientation(frame)
    try:
        return DecodedImage(frame, size, matrix, side=SMALL_SIDE, reformatter=reformatter)
    except (av.FFmpegError, OSError):
        frame.colorspace = frame.color_primaries = frame.color_trc = _UNSPECIFIED
    try:
        image = DecodedImage(frame, size, matrix, side=SMALL_SIDE)
    except (av.FFmpegError, OSError):
        clip.warn(f"video frames of the pixel format {frame.format.name} {UNDECODABLE}")
        return None
    clip.warn("unsupported colour matrix: colours were converted with the default one")
    return image


def unread(frame: VideoFrame, like: VideoFrame, aspect: Fraction, still: bool) -> DecodedImage:
    """The image of a frame of which nothing is converted yet; ``like`` was converted before."""
    frame.colorspace, frame.color_primaries = like.colorspace, like.color_primaries
    frame.color_trc = like.color_trc
    return DecodedImage(frame, square_size(frame, aspect, still), orientation(frame), side=0)


def fit(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale an image into ``size`` (width, height) as a player does, centred on black."""
    shape = size[1], size[0], 3
    scale = min(shape[0] / rgb.shape[0], shape[1] / rgb.shape[1])
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    frame = VideoFrame.from_ndarray(rgb, format="rgb24")
    out = np.zeros(shape, np.uint8)
    y, x = (shape[0] - height) // 2, (shape[1] - width) // 2
    out[y : y + height, x : x + width] = frame.reformat(width, height, threads=1).to_ndarray()
    return out


def mirrored(path: Path) -> Matrix | None:
    """The display matrix of an image that its Exif data mirror, which PyAV loses, else ``None``."""
    try:
        with PillowImage.open(path, formats=("JPEG", "PNG", "WEBP", "TIFF")) as image:
            return _MIRRORED.get(image.getexif().get(_EXIF_ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError, PillowImage.DecompressionBombError):
        return None


def orientation(frame: VideoFrame) -> Matrix:
    """``a, b, c, d`` of the display matrix: a stored point (x, y) goes to (ax + cy, bx + dy)."""
    try:  # not frame.side_data, which refers back to the frame and keeps it until a collection
        side_data = SideDataContainer(frame)  # type: ignore[call-arg]
    except ValueError:  # side data of a kind that PyAV has no name for (Exif, as of PyAV 18.1)
        return _QUARTERS[round(frame.rotation / 90) % 4]
    if SideDataType.DISPLAYMATRIX not in {data.type for data in side_data}:
        return 1, 0, 0, 1
    matrix = np.frombuffer(bytes(side_data[SideDataType.DISPLAYMATRIX]), np.int32, 9)
    return int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])


def rotation(frame: VideoFrame) -> int:
    """Degrees clockwise that turn the stored frame upright."""
    a, b, _, _ = orientation(frame)
    if abs(b) > abs(a):
        return 90 if b > 0 else 270
    return 0 if a > 0 else 180
