import numpy as np
import pytest

from avtca.faces import FaceReader, choose
from avtca.faces.types import FaceTrack


def track(person, side, steps):
    n = len(steps)
    return FaceTrack(
        person=person,
        steps=np.array(steps),
        times_s=np.array(steps) / 5,
        boxes=np.tile(np.array([0, 0, side, side], np.float32), (n, 1)),
        confidence=np.ones(n, np.float32),
        crops=np.zeros((n, 8, 8), np.uint8),
    )


def test_two_men_are_kept_apart_for_the_whole_clip(frames, slime):
    clip = frames("obama_speech.mp4")
    tracks = FaceReader(slime, 48, "grey").tracks(clip)
    assert [len(t) for t in tracks] == [len(clip)] * 2
    middles = [(t.boxes[:, 0] + t.boxes[:, 2]) / 2 for t in tracks]
    left, right = sorted(middles, key=np.mean)
    assert left.max() < right.min()
    assert choose(tracks) is max(tracks, key=lambda t: np.median(t.boxes[:, 3] - t.boxes[:, 1]))


def test_a_person_who_appears_midway(frames, slime):
    clip = frames("noface_face.mov")
    (found,) = FaceReader(slime, 48, "grey").tracks(clip)
    assert found.steps[0] == 16  # 3.87 s; every frame from there but the last, which is black
    assert list(found.steps) == list(range(16, 26))
    assert [f.time_s for f in clip if f.step in found.steps] == list(found.times_s)
    assert found.times_s.dtype == np.float64
    assert found.crops.shape == (len(found), 48, 48)
    assert found.boxes.shape == (len(found), 4)
    assert found.crops.std(axis=(1, 2)).min() > 10


@pytest.mark.parametrize("name", ["no_face.mp4", "park.mp4"])
def test_nobody(frames, slime, name):
    reader = FaceReader(slime, 48, "grey")
    clip = frames(name)[::2]
    assert list(reader.read(clip)) == [[]] * len(clip)
    assert reader.tracks(clip[:2]) == []


def test_frames_are_read_one_by_one(frames, slime):
    drawn = []

    def watched():
        for frame in frames("01-01-01-01-01-01-01.mp4")[:3]:
            drawn.append(frame.step)
            yield frame

    reading = FaceReader(slime, 32, "rgb").read(watched())
    (first,) = next(reading)
    assert drawn == [first.step] == [0]
    assert first.crop.shape == (32, 32, 3)
    assert len(list(reading)) == 2


def test_short_clips_and_pictures_have_tracks(frames, slime):
    clip = frames("01-01-01-01-01-01-01.mp4")
    for n in (1, 2, 4):
        (found,) = FaceReader(slime, 32, "rgb").tracks(clip[:n])
        assert found.crops.shape == (n, 32, 32, 3)


def test_a_face_of_one_step_is_no_track(frames, slime):
    clip = frames("noface_face.mov")[10:]
    once = [f for f in clip if f.step <= 16 or f.step == 26]
    assert FaceReader(slime, 32, "grey").tracks(once) == []
    assert len(FaceReader(slime, 32, "grey").tracks(once, min_steps=1)) == 1


def test_the_largest_steady_face_is_chosen():
    steady, brief, small = track(0, 50, range(20)), track(1, 90, range(4)), track(2, 30, range(30))
    assert choose([brief, small, steady]) is steady
    assert choose([]) is None
