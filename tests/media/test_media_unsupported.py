"""Pictures that are refused by name, and those of the same kinds that are read."""

import numpy as np
import pytest
from PIL import Image

from avtca.errors import MediaError
from avtca.media import open_media


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("grid.heic", "a tiled HEIC picture is not supported; export it as JPEG"),
        ("anim.webp", "animated WebP is not supported; export it as GIF or MP4"),
    ],
)
def test_refused(shared, name, message):
    path = shared / "faults" / name
    with pytest.raises(MediaError) as caught:
        open_media(path)
    assert str(caught.value) == f"read {path}: {message}"


@pytest.mark.parametrize("alpha", [False, True])
def test_a_still_webp_is_read(tmp_path, alpha):
    rgb = np.full((48, 64, 4 if alpha else 3), 200, np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.webp", lossless=True, exif=b"Exif\0\0" + bytes(8))
    (frame,) = open_media(tmp_path / "a.webp").frames(10)
    assert abs(frame.rgb.mean() - 200) < 3


def test_a_picture_of_one_tile_is_read(shared, tmp_path):
    """The same file with its first tile as the primary item."""
    data = (shared / "faults" / "grid.heic").read_bytes()
    at = data.index(b"pitm") + 8
    (tmp_path / "one.heic").write_bytes(data[:at] + b"\0\1" + data[at + 2 :])
    (frame,) = open_media(tmp_path / "one.heic").frames(10)
    assert frame.rgb.shape == (360, 640, 3)


def test_avif(tmp_path):
    rgb = np.full((48, 64, 3), 200, np.uint8)
    try:
        Image.fromarray(rgb).save(tmp_path / "a.avif")
    except (KeyError, OSError):
        pytest.skip("this Pillow writes no AVIF")
    clip = open_media(tmp_path / "a.avif")
    (frame,) = clip.frames(10)
    assert clip.is_image and clip.duration_s == 0 and frame.length_s == 0
    assert abs(frame.rgb.mean() - 200) < 3


@pytest.mark.parametrize("name", ["grid.heic", "anim.webp"])
@pytest.mark.parametrize("size", [12, 16, 20, 60, 90, 150, 300])
def test_the_beginning_alone_is_an_error_in_one_line(shared, tmp_path, name, size):
    (tmp_path / name).write_bytes((shared / "faults" / name).read_bytes()[:size])
    with pytest.raises(MediaError):
        open_media(tmp_path / name)


TO_STORED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x, -1),
}
"""How an upright image is stored for each value of the Exif orientation."""


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("value", range(1, 9))
def test_exif_orientation_mirrors_too(tmp_path, value, suffix):
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:20, :24] = 255
    exif = Image.Exif()
    exif[0x0112] = value
    stored = Image.fromarray(np.ascontiguousarray(TO_STORED[value](upright)))
    stored.save(tmp_path / f"a.{suffix}", exif=exif)
    (frame,) = open_media(tmp_path / f"a.{suffix}").frames(10)
    assert frame.rgb.shape == upright.shape
    assert np.abs(frame.rgb.astype(int) - upright).mean() < 6
