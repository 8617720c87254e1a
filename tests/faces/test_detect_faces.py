"""Detections of a stream of frames: what is found, in which frames, and how often."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from avtca.faces import TEMPLATE, Detection
from avtca.faces.detect_faces import GRID, RESCAN_S, detect_faces
from avtca.image import ArrayImage
from avtca.media import Frame

SIZE = (180, 320)
LOUD = np.array([255, 0, 0], np.uint8)


class Spots:
    """A detector whose faces are the red squares of an image; keeps the shapes it was given."""

    name = "spots"

    def __init__(self):
        self.shapes = []

    def detect(self, rgb):
        self.shapes.append(rgb.shape[:2])
        red = (rgb == LOUD).all(axis=2)
        columns = np.flatnonzero(red.any(axis=0))
        out = []
        for group in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
            if len(group):
                rows = np.flatnonzero(red[:, group].any(axis=1))
                box = np.array([group[0], rows[0], group[-1] + 1, rows[-1] + 1], np.float32)
                out.append(Detection(box, box[:2] + TEMPLATE * (box[2] - box[0]), 0.9))
        return out


def draw(*corners, side=40, shade=90):
    rgb = np.full((*SIZE, 3), shade, np.uint8)
    for x, y in corners:
        rgb[y : y + side, x : x + side] = LOUD
    return ArrayImage(rgb)


def stream(images, rate=10.0):
    return [Frame(k, k / rate, image) for k, image in enumerate(images)]


def corners(found):
    return [sorted(tuple(map(float, face.box[:2])) for face in one.faces) for one in found]


def test_a_face_that_moves_is_found_in_every_frame_by_few_searches():
    detector = Spots()
    frames = stream([draw((40 + 4 * k, 60)) for k in range(21)])
    found = list(detect_faces(frames, detector))
    assert [one.frame for one in found] == frames
    assert corners(found) == [[(40 + 4 * k, 60)] for k in range(21)]
    landmarks = found[7].faces[0].landmarks
    np.testing.assert_allclose(landmarks, (68, 60) + TEMPLATE * 40, atol=1e-4)
    whole = [shape for shape in detector.shapes if shape == SIZE]
    assert len(whole) == 1 + int(2.0 / RESCAN_S)  # the first frame, then each second
    assert len(detector.shapes) == 11  # of 21 frames, every second is searched
    assert all(n % GRID == 0 or n == SIZE[0] % GRID for n, _ in detector.shapes if n < SIZE[0])


def test_a_face_that_comes_or_goes_between_two_searches_is_found_where_it_is():
    steady = (20, 100)
    images = [draw(steady, *[(200, 20)] * (3 <= k <= 7)) for k in range(10)]
    found = corners(detect_faces(stream(images), Spots()))
    other = [(200.0, 20.0) in one for one in found]
    assert all((20.0, 100.0) in one for one in found)
    # Step 7 is between two searches; the new face is seen at the next look at the whole frame.
    assert other[7:] == [False] * 3 and not any(other[:3])
    alone = [draw(*[(200, 20)] * (3 <= k <= 7)) for k in range(10)]
    found = corners(detect_faces(stream(alone), Spots()))
    assert [len(one) for one in found] == [0, 0, 0, 1, 1, 1, 1, 1, 0, 0]


def with_eyes(x, y=60):
    image = draw((x, y))
    for eye in (x + 8, x + 24):
        image.rgb[y + 12 : y + 20, eye : eye + 8] = 200
    return image


def test_a_face_that_rests_is_searched_each_third_time():
    detector = Spots()
    found = list(detect_faces(stream([with_eyes(40) for _ in range(21)]), detector))
    assert corners(found) == [[(40.0, 60.0)]] * 21
    # Of the frames 0, 2, ..., 20: whole in 0, 10 and 20, and 6 and 16, 0.6 s after these.
    assert len(detector.shapes) == 5 and detector.shapes.count(SIZE) == 3


def test_a_face_that_moves_after_a_rest_is_searched_at_once():
    detector = Spots()
    places = [40, 40, 40, 40, 43, 46, 49, 52, 55]
    found = corners(detect_faces(stream([with_eyes(x) for x in places]), detector))
    assert found == [[(float(x), 60.0)] for x in [40, 40, 40, 41.5, 43, 46, 49, 52, 55]]
    assert len(detector.shapes) == 4  # in frames 0, 4, 6 and 8


def test_at_a_cut_the_whole_frame_is_searched_and_nothing_is_interpolated():
    before = [draw((40, 60), shade=20) for _ in range(4)]
    after = [draw((200, 100), shade=230) for _ in range(5)]
    found = list(detect_faces(stream([*before, *after]), Spots()))
    assert corners(found) == [[(40.0, 60.0)]] * 4 + [[(200.0, 100.0)]] * 5
    assert [one.frame.step for one in found if one.new_shot] == [0, 4]


def test_two_faces_that_meet_are_one_and_two_again():
    images = [draw((20 + 10 * k, 60), (260 - 10 * k, 60)) for k in range(8)]
    found = corners(detect_faces(stream(images), Spots()))
    assert found == [sorted([(20 + 10 * k, 60), (260 - 10 * k, 60)]) for k in range(8)]


def test_repeated_frames_have_the_faces_of_the_first():
    frames = []
    for frame in stream([draw((40 + 10 * k, 60)) for k in range(4)], rate=10):
        frame = replace(frame, step=4 * frame.step, time_s=4 * frame.time_s)
        frames += [replace(frame, step=frame.step + h, held_s=h / 10) for h in range(4)]
    detector = Spots()
    found = list(detect_faces(frames, detector))
    assert [one.frame for one in found] == frames
    assert corners(found) == [[(40.0 + 10 * (k // 4), 60.0)] for k in range(16)]
    assert len(detector.shapes) <= 2 * 4


def test_a_slow_video_is_searched_in_every_frame():
    detector = Spots()
    images = [draw((40 + 10 * k, 60)) for k in range(6)]
    assert corners(detect_faces(stream(images, rate=15 / 3.6), detector)) == [
        [(40.0 + 10 * k, 60.0)] for k in range(6)
    ]
    assert len(detector.shapes) == 6


def test_the_second_look_at_empty_frames_is_rare():
    detector = Spots()
    rgb = np.full((720, 1280, 3), 90, np.uint8)
    images = [ArrayImage(rgb) for _ in range(21)]
    assert corners(detect_faces(stream(images), detector)) == [[]] * 21
    assert detector.shapes.count((360, 640)) == 4
    assert detector.shapes.count((180, 320)) == 11


def test_a_region_gives_what_the_whole_frame_gives(frames, slime, monkeypatch):
    """The landmarks of the real speaker are nearly those of searching every frame whole."""
    clip = frames("1001_DFA_ANG_XX.flv", 10.0)
    whole = [slime.detect(frame.rgb)[0].landmarks for frame in clip]
    monkeypatch.setattr(sys.modules["avtca.faces.detect_faces"], "KEY_S", 0)
    monkeypatch.setattr(sys.modules["avtca.faces.detect_faces"], "MAX_REST_S", -1)
    found = [one.faces[0].landmarks for one in detect_faces(clip, slime)]
    eyes = np.mean([np.linalg.norm(points[1] - points[0]) for points in whole])
    away = np.abs(np.subtract(whole, found)).max(axis=(1, 2)) / eyes
    assert np.median(away) < 0.04 and away.max() < 0.12  # a pixel is 0.034


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "people"), [("1001_DFA_HAP_XX.flv", 1), ("obama_speech.mp4", 2), ("no_face.mp4", 0)]
)
def test_real_faces_are_found_as_often_as_in_whole_frames(frames, slime, name, people):
    clip = frames(name, 10.0)
    assert [len(one.faces) for one in detect_faces(clip, slime)] == [people] * len(clip)
