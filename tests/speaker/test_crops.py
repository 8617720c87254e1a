"""Crops of mouths, and the numbers that are kept of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from avtca.faces import align_image
from avtca.image import ArrayImage, Luma
from avtca.media import open_media
from avtca.speaker import MouthRecorder, MouthSeries
from avtca.speaker.crops import _cut, mouth_crop, mouth_place
from avtca.speaker.lips import CORNERS, CROP_PX, LOWER, MOUTH_TEMPLATE, N_POINTS, UPPER


def test_a_crop_from_the_luma_is_that_from_rgb(shared):
    image = next(open_media(str(shared / "talking" / "pwij3p.mpg")).frames(10)).image
    for eyes_px, centre in ((38.0, (180, 190)), (90.0, (180, 170)), (60.0, (10, 250))):
        spread = (MOUTH_TEMPLATE - 0.5) * CROP_PX * eyes_px / 45
        face = SimpleNamespace(landmarks=(spread @ [[0.98, 0.2], [-0.2, 0.98]] + centre))
        crop = mouth_crop(image, *mouth_place(face))
        colour = align_image(image, face.landmarks, CROP_PX, "grey", template=MOUTH_TEMPLATE)
        assert np.abs(crop - colour.astype(float)).mean() < 2.5
        assert abs(float(crop.mean()) - float(colour.mean())) < 2.5
        assert crop.std() > 20


def test_limited_range_becomes_full():
    values = np.repeat(np.uint8([[16, 126, 235]]), 300, axis=0).repeat(100, axis=1)
    for limited, expected in ((True, [0, 128, 255]), (False, [16, 126, 235])):
        luma = Luma(values, (1, 0, 0, 0, 1, 0), limited)
        image = SimpleNamespace(luma=lambda _, luma=luma: luma)
        crops = [mouth_crop(image, 0.5 + 0j, x + 100j) for x in (20, 120, 220)]
        assert [int(crop[32, 32]) for crop in crops] == expected


def test_outside_the_frame_its_edge_is_repeated():
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert _cut(values, -2, 1, 2, 5).tolist() == [[4, 4, 4, 5], *3 * [[8, 8, 8, 9]]]
    assert _cut(values, 1, 0, 3, 2).tolist() == [[1, 2], [5, 6]]


def lips(height, width):
    points = np.zeros((N_POINTS, 2), np.float32)
    points[UPPER], points[LOWER] = (32, 30), (32, 30 + height)
    points[CORNERS[0]], points[CORNERS[1]] = (32 - width / 2, 30), (32 + width / 2, 30)
    return points


def test_a_series_has_height_width_and_motion_of_each_frame():
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (5, CROP_PX, CROP_PX), dtype=np.uint8)
    times, points = [0.0, 0.04, 0.08, 0.5, 0.54], np.stack([lips(k, 20 + k) for k in range(5)])
    whole, parts = MouthSeries(), MouthSeries()
    whole.add(times, crops, points)
    for k in (slice(0, 2), slice(2, 5)):
        parts.add(times[k], crops[k], points[k])
    assert whole.times == parts.times == times
    np.testing.assert_allclose(whole.values, parts.values)
    heights, widths, motions = zip(*whole.values, strict=True)
    assert heights == pytest.approx(range(5)) and widths == pytest.approx(range(20, 25))
    grey = crops[:, 20:56, 12:52].astype(float)
    change = np.abs(grey[1] - grey[0]).mean() / grey[1].std()
    assert motions[1] == pytest.approx(change, rel=1e-5)
    assert motions[0] == motions[3] == 0 < motions[4]  # the first, and after a gap


def test_places_between_two_frames_are_those_of_the_landmarks_between(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "avtca.speaker.mouths.mouth_crop",
        lambda _, turn, shift: seen.append((turn, shift)) or np.zeros((64, 64), np.uint8),
    )
    first, last = (MOUTH_TEMPLATE * px + shift for px, shift in ((40.0, 5), (60.0, 30)))
    recorder, image = MouthRecorder(), ArrayImage(np.zeros((99, 99, 3), np.uint8))
    for time_s, landmarks in ((1.0, first), (1.1, last)):
        face = SimpleNamespace(person=0, time_s=time_s, landmarks=landmarks, area=9.0)
        recorder.add([SimpleNamespace(time_s=time_s - 0.04, image=image)], [face])
    between = SimpleNamespace(landmarks=0.4 * first + 0.6 * last)
    np.testing.assert_allclose(seen[1], mouth_place(between), rtol=1e-5)
    np.testing.assert_allclose(seen[0], mouth_place(SimpleNamespace(landmarks=first)), rtol=1e-5)
