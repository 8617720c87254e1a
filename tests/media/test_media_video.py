"""Pictures: the global clock, orientation, colours."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from media_clips import encode, flat, index_of, levels

from avtca.media import open_media


def quarters() -> np.ndarray:
    """A picture whose corners differ: red, green / blue, white; 64 x 48."""
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[:24, :32], rgb[:24, 32:] = (230, 20, 20), (20, 200, 20)
    rgb[24:, :32], rgb[24:, 32:] = (20, 20, 230), (240, 240, 240)
    return rgb


def corners(rgb: np.ndarray) -> str:
    """First letters of the colours of the corners, row by row."""
    names = {"r": (230, 20, 20), "g": (20, 200, 20), "b": (20, 20, 230), "w": (240, 240, 240)}
    h, w = rgb.shape[:2]
    found = ""
    for y in (h // 4, 3 * h // 4):
        for x in (w // 4, 3 * w // 4):
            off = {name: np.abs(rgb[y, x].astype(int) - names[name]).sum() for name in names}
            found += min(off, key=off.__getitem__)
    return found


def test_variable_frame_rate_by_timestamps(tmp_path):
    times = [0, 0.04, 0.2, 0.21, 0.26, 0.9, 1.0, 1.31, 1.38, 1.9]
    clip = open_media(encode(tmp_path / "v.mkv", pictures=levels(10), times=times))
    frames = list(clip.frames(10))
    # By hand: of the timestamps inside each step, the nearest to its middle.
    assert [(f.step, index_of(f.rgb)) for f in frames] == [
        (0, 1), (2, 4), (9, 5), (10, 6), (13, 8), (19, 9)
    ]  # fmt: skip
    assert [f.time_s for f in frames] == pytest.approx([times[index_of(f.rgb)] for f in frames])


def test_steps_against_a_second_formula(tmp_path):
    rng = np.random.default_rng(3)
    times = np.unique(rng.uniform(0, 4, 40).round(3))
    times -= times[0]
    clip = open_media(encode(tmp_path / "v.mkv", pictures=levels(len(times)), times=list(times)))
    for rate in (15 / 3.6, 7, 30):
        best: dict[int, float] = {}
        for time in times:
            step = int(np.floor((time + 5e-4) * rate))
            middle = (step + 0.5) / rate
            if step not in best or abs(time - middle) < abs(best[step] - middle):
                best[step] = float(time)
        found = {frame.step: frame.time_s for frame in clip.frames(rate)}
        assert found == pytest.approx(best)
        assert list(found) == sorted(found)


def test_rounded_timestamps_fill_every_step(tmp_path):
    times = [round(k / 30, 3) for k in range(30)]
    clip = open_media(encode(tmp_path / "v.mkv", pictures=levels(30), times=times))
    assert [frame.step for frame in clip.frames(30)] == list(range(30))


@pytest.mark.parametrize(
    ("rotation", "hflip", "turned", "expect", "shape"),
    [
        (None, False, 0, "rgbw", (48, 64, 3)),
        (-90, False, 90, "brwg", (64, 48, 3)),
        (90, False, 270, "gwrb", (64, 48, 3)),
        (180, False, 180, "wbgr", (48, 64, 3)),
        (0, True, None, "grwb", (48, 64, 3)),
    ],
)
def test_rotation_and_mirror(tmp_path, rotation, hflip, turned, expect, shape):
    path = encode(tmp_path / "r.mp4", pictures=[quarters()] * 3, rotation=rotation, hflip=hflip)
    clip = open_media(path)
    frame = next(clip.frames(10))
    assert corners(frame.rgb) == expect
    assert frame.rgb.shape == shape
    assert frame.rgb.flags.c_contiguous and frame.rgb.dtype == np.uint8
    assert (clip.info.height, clip.info.width) == shape[:2]
    if turned is not None:
        assert clip.info.rotation == turned


def test_photograph_with_orientation(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    Image.fromarray(quarters()).save(tmp_path / "p.jpg", exif=exif, quality=95)
    (frame,) = open_media(tmp_path / "p.jpg").frames(1)
    assert corners(frame.rgb) == "brwg"


def test_pixels_that_are_not_square(tmp_path):
    path = tmp_path / "dv.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        frame = av.VideoFrame.from_ndarray(quarters(), format="rgb24")
        out.mux(stream.encode(frame) + stream.encode(None))
    clip = open_media(path)
    (frame,) = clip.frames(10)
    assert frame.rgb.shape == (48, 96, 3)
    assert corners(frame.rgb) == "rgbw"
    assert (clip.info.width, clip.info.height) == (96, 48)


@pytest.mark.parametrize("colour", [(200, 60, 40), (40, 180, 70), (60, 50, 200), (128, 128, 128)])
@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
def test_colours_follow_the_matrix_of_the_file(tmp_path, colour, matrix):
    path = tmp_path / "c.mp4"
    number = {"bt709": 1, "smpte170m": 6}[matrix]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = number
        stream.codec_context.color_range = 1
        rgb = np.full((48, 64, 3), colour, np.uint8)
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
            format="yuv420p", dst_colorspace={"bt709": "ITU709", "smpte170m": "ITU601"}[matrix]
        )
        out.mux(stream.encode(frame) + stream.encode(None))
    frame = next(open_media(path).frames(10))
    assert np.abs(frame.rgb.reshape(-1, 3).mean(0) - colour).max() < 4


def test_video_that_starts_late_keeps_its_delay(tmp_path):
    from media_clips import tone

    times = [0.75 + k / 10 for k in range(10)]
    path = encode(tmp_path / "l.mkv", pictures=levels(10), times=times, audios=[tone(2)])
    frames = list(open_media(path).frames(10))
    assert [index_of(f.rgb) for f in frames] == list(range(10))
    assert frames[0].step == 7 and frames[0].time_s == pytest.approx(0.75, abs=0.002)


def test_two_readers_of_one_clip_at_once(tmp_path):
    clip = open_media(encode(tmp_path / "a.mp4", pictures=levels(12)))
    one, two = clip.frames(10), clip.frames(5)
    first = [next(one).step for _ in range(4)]
    second = [next(two).step for _ in range(3)]
    assert first == [0, 1, 2, 3] and second == [0, 1, 2]
    assert [frame.step for frame in one] == list(range(4, 12))


def test_a_rate_must_be_positive(tmp_path):
    clip = open_media(encode(tmp_path / "a.mp4", pictures=[flat(50)] * 3))
    for rate in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="rate must be positive"):
            clip.frames(rate)
        with pytest.raises(ValueError, match="rate must be positive"):
            clip.audio(rate)


def test_an_image_bomb_is_refused_before_it_is_decoded(tmp_path):
    from PIL import Image

    from avtca.errors import MediaError

    path = tmp_path / "bomb.png"
    Image.new("1", (8, 8)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    path.write_bytes(data)
    with pytest.raises(MediaError, match="nothing can be decoded"):
        open_media(path)
