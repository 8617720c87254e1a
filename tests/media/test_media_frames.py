"""Frames that are too large, of unknown colours or of odd pixels."""

import io
import sys

import av
import numpy as np
import pytest
from media_clips import encode, flat, index_of, levels
from PIL import Image

from avtca.media import container, open_media, video


def jpeg(rgb):
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "jpeg", quality=95)
    return buffer.getvalue()


def test_every_frame_is_held_to_the_pixel_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "MAX_VIDEO_PIXELS", 64 * 48 * 2)
    path = tmp_path / "jump.mjpeg"
    large = flat(90, 64 * 4, 48 * 4)
    path.write_bytes(b"".join(jpeg(x) for x in (*levels(3), large, *levels(3))))
    clip = open_media(path)
    frames = list(clip.frames(25))
    assert {frame.rgb.shape for frame in frames} == {(48, 64, 3)}
    assert [index_of(frame.rgb) for frame in frames] == [0, 1, 2, 0, 1, 2]
    assert clip.damaged and "1 packet(s) of the video could not be decoded" in clip.warnings[0]


def test_frames_are_freed_without_the_cyclic_collector(tmp_path):
    with av.open(str(encode(tmp_path / "r.mp4", pictures=levels(2), rotation=90))) as file:
        frame = next(file.decode(video=0))
        before = sys.getrefcount(frame)
        assert abs(video.orientation(frame)[1]) > 0
        assert sys.getrefcount(frame) == before


@pytest.mark.parametrize("matrix", [8, 10])  # YCgCo, BT.2020 with constant luminance
def test_an_unsupported_colour_matrix_is_read_as_the_default(tmp_path, matrix):
    path = tmp_path / "m.mp4"
    colour = np.full((48, 64, 3), (200, 60, 40), np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = matrix
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(colour, format="rgb24").reformat(format="yuv420p")
            frame.colorspace = matrix
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with av.open(str(path)) as check:
        assert next(check.decode(video=0)).colorspace == matrix, "the test's own file"
    clip = open_media(path)
    frames = list(clip.frames(10))
    assert len(frames) == 3
    assert np.abs(frames[0].rgb.mean((0, 1)) - (200, 60, 40)).max() < 8
    assert clip.warnings == [
        "unsupported colour matrix: colours were converted with the default one"
    ]


def test_wide_pixels_do_not_exceed_the_pixel_limit(tmp_path, monkeypatch):
    path = tmp_path / "wide.png"
    Image.fromarray(flat(90)).save(path, dpi=(400, 100))
    assert open_media(path).info.width == 256
    (frame,) = open_media(path).frames(10)
    assert frame.rgb.shape == (48, 256, 3)
    monkeypatch.setattr(video, "MAX_PIXELS", 64 * 48 * 2)
    (frame,) = open_media(path).frames(10)
    assert frame.rgb.shape == (12, 64, 3)
