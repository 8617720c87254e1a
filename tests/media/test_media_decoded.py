"""Parts of decoded frames are the same parts of the whole frame."""

import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from avtca.image import ArrayImage, reduced_size
from avtca.media.decoded import PLANAR_420, DecodedImage

MATRICES = {
    "upright": (1, 0, 0, 1),
    "mirrored": (-1, 0, 0, 1),
    "upside down": (-1, 0, 0, -1),
    "left": (0, -1, 1, 0),
    "right": (0, 1, -1, 0),
    "left, mirrored": (0, 1, 1, 0),
}


def scene(width=160, height=96):
    """Smooth colours that differ everywhere."""
    y, x = np.mgrid[:height, :width]
    waves = [x * 200 / width + 20, y * 200 / height + 20, 120 + 80 * np.sin((x + 2 * y) / 40)]
    return np.stack(waves, axis=2).astype(np.uint8)


def decoded(rgb, matrix=(1, 0, 0, 1), format="yuv420p", size=None):
    frame = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=format)
    return DecodedImage(frame, size or (rgb.shape[1], rgb.shape[0]), matrix, side=64)


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("format", [*PLANAR_420, "yuv444p", "rgb24", "yuv420p10le"])
@pytest.mark.parametrize("box", [(30.3, 21.0, 71.0, 60.2), (-8, -3, 20, 31), (60, 40, 900, 900)])
def test_a_part_is_that_of_the_whole(matrix, format, box):
    image = decoded(scene(), matrix, format)
    whole = ArrayImage(image.rgb)
    assert (whole.width, whole.height) == (image.width, image.height)
    part, wanted = image.part(box, (20, 24)), whole.part(box, (20, 24))
    assert part.rgb.shape == wanted.rgb.shape == (24, 20, 3)
    assert abs(part.x0 - wanted.x0) <= 1 and abs(part.y0 - wanted.y0) <= 1
    # The same point of the image has the same colour in both.
    x = np.linspace(max(part.x0, wanted.x0) + 3, max(part.x0, wanted.x0) + 15, 5)
    y = np.linspace(max(part.y0, wanted.y0) + 3, max(part.y0, wanted.y0) + 15, 5)
    for one, other in zip(colours(part, x, y), colours(wanted, x, y), strict=True):
        assert np.abs(one - other).max() < 9


def colours(part, x, y):
    """Colours at points of the image, interpolated."""
    column = (x - part.x0) * part.scale_x - 0.5
    row = (y - part.y0) * part.scale_y - 0.5
    for u, v in zip(column, row, strict=True):
        i, j = int(v), int(u)
        a, b = v - i, u - j
        block = part.rgb[i : i + 2, j : j + 2].astype(float)
        yield (
            block[0, 0] * (1 - a) * (1 - b)
            + block[0, 1] * (1 - a) * b
            + block[1, 0] * a * (1 - b)
            + block[1, 1] * a * b
        )


def test_pixels_that_are_not_square():
    """A stored width of 80 for a square width of 160: the part is in square pixels."""
    rgb = scene()
    image = decoded(rgb[:, ::2], size=(160, 96))
    part = image.part((40, 20, 80, 60), (40, 40))
    assert (image.width, image.height, part.x0, part.y0) == (160, 96, 40, 20)
    assert (part.scale_x, part.scale_y) == (1, 1)
    assert np.abs(part.rgb.astype(int) - rgb[20:60, 40:80]).mean() < 5


def test_the_reduced_copy_keeps_colours_and_shape():
    image = decoded(scene(), MATRICES["left"])
    small = image.reduced(32)
    assert small.shape == (32, 19, 3) and image.reduced(1000).shape == (160, 96, 3)
    blocks = image.rgb[:160, :95].reshape(32, 5, 19, 5, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).mean() < 4


def test_odd_and_tiny_frames():
    for height, width in [(1, 1), (2, 3), (33, 47)]:
        image = decoded(scene(width, height), format="yuv420p" if height > 1 else "rgb24")
        part = image.part((0, 0, width, height), (6, 6))
        assert part.rgb.shape == (6, 6, 3) and part.x0 == part.y0 == 0


def test_frames_of_several_sizes_share_a_reformatter():
    """Its preparations are for the last size, and are made anew."""
    shared = VideoReformatter()
    for height in (96, 96, 120, 64, 96):
        frame = VideoFrame.from_ndarray(scene(height=height)).reformat(format="yuv420p")
        size, upright = (frame.width, frame.height), MATRICES["upright"]
        image = DecodedImage(frame, size, upright, side=64, reformatter=shared)
        alone = DecodedImage(frame, size, upright, side=64)
        by_default = frame.reformat(
            *reduced_size(*size, 64), format="rgb24", interpolation="AREA"
        ).to_ndarray()
        np.testing.assert_array_equal(image.reduced(64), alone.reduced(64))
        np.testing.assert_array_equal(image.reduced(64), by_default)


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("format", [*PLANAR_420, "yuv444p", "nv12", "rgb24", "yuv420p10le"])
def test_luma_is_the_brightness_at_the_same_place(matrix, format):
    rgb = scene()
    image = decoded(rgb[:, ::2], matrix, format, size=(160, 96))  # pixels that are not square
    luma = image.luma((20, 30, 70, 80))
    a, b, c, d, e, f = luma.place
    weights = np.array([0.299, 0.587, 0.114])
    for x, y in ((31.5, 33.5), (60.5, 41.5), (45.5, 70.5)):
        u, v = a * x + b * y + c, d * x + e * y + f
        found = float(luma.values[int(v), int(u)])
        found = (found - 16) * 255 / 219 if luma.limited else found
        assert found == pytest.approx(image.rgb[int(y), int(x)] @ weights, abs=6)
    assert luma.limited == (format in ("yuv420p", "yuv444p", "nv12"))
