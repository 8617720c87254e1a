"""The faces above a timeline, kept as one picture."""

import numpy as np
import pytest

from avtca.plots.faces import MAX_FACES, make_strip, read_strip, strip_images
from avtca.recognize.report import Thumbnail


def faces(count):
    return [Thumbnail(0.5 + i, 0, np.full((96, 96, 3), 10 * i, np.uint8)) for i in range(count)]


def test_a_strip_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "faces.jpg"
    path.write_bytes(make_strip(faces(5), 5.0).jpeg)
    strip = read_strip(path)
    assert (strip.jpeg, strip.times) == (path, (0.5, 1.5, 2.5, 3.5, 4.5))
    images = strip_images(strip)
    assert [image.shape for image in images] == [(96, 96, 3)] * 5
    assert [round(image.mean()) for image in images] == pytest.approx([0, 10, 20, 30, 40], abs=2)


def test_faces_that_would_overlap_are_left_out():
    assert 6 < len(make_strip(faces(18), 18.0).times) <= MAX_FACES
    assert len(make_strip(faces(2), 100.0).times) == 1
    assert make_strip([], 4.0) is None


def test_other_pictures_are_no_strip(tmp_path):
    assert read_strip(tmp_path / "gone.jpg") is None
    (tmp_path / "other.jpg").write_bytes(b"not a picture")
    with pytest.raises((OSError, ValueError)):
        read_strip(tmp_path / "other.jpg")
