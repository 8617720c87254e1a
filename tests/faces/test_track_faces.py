from collections import defaultdict

import numpy as np
import pytest

from avtca.faces import rank_people, track_faces


def by_person(frames, detector, px=48, colour="grey"):
    people = defaultdict(list)
    for _, faces in track_faces(frames, detector, px, colour):
        for face in faces:
            people[face.person].append(face)
    return people


def test_two_men_are_kept_apart_for_the_whole_clip(frames, slime):
    clip = frames("obama_speech.mp4")
    people = by_person(clip, slime)
    assert [len(faces) for faces in people.values()] == [len(clip)] * 2
    centres = [np.array([(f.box[0] + f.box[2]) / 2 for f in faces]) for faces in people.values()]
    left, right = sorted(centres, key=np.mean)
    assert left.max() < right.min()
    heights = {n: np.median([f.box[3] - f.box[1] for f in faces]) for n, faces in people.items()}
    areas = {n: [f.area for f in faces] for n, faces in people.items()}
    assert rank_people(areas)[0] == max(heights, key=heights.get)


@pytest.mark.slow
def test_a_person_who_appears_midway(frames, slime):
    clip = frames("noface_face.mov")
    people = by_person(clip, slime)
    found = max(people.values(), key=len)
    # From 3.87 s on, every frame but the last, which is black.
    assert [face.step for face in found] == list(range(16, 26))
    assert [f.time_s for f in clip if 16 <= f.step < 26] == [face.time_s for face in found]
    crops = np.stack([face.crop for face in found])
    assert crops.shape == (len(found), 48, 48) and crops.dtype == np.uint8
    assert all(face.box.shape == (4,) for face in found)
    assert crops.std(axis=(1, 2)).min() > 10


@pytest.mark.parametrize("name", ["no_face.mp4", "park.mp4"])
def test_frames_without_faces(frames, slime, name):
    clip = frames(name)[::2]
    assert list(track_faces(clip, slime, 48, "grey")) == [(frame, []) for frame in clip]


def test_frames_are_read_one_by_one(frames, slime):
    drawn = []

    def watched():
        for frame in frames("01-01-01-01-01-01-01.mp4")[:3]:
            drawn.append(frame.step)
            yield frame

    tracked = track_faces(watched(), slime, 32, "rgb")
    frame, (first,) = next(tracked)
    assert drawn == [frame.step] == [first.step] == [0]
    assert first.crop.shape == (32, 32, 3)
    assert len(list(tracked)) == 2


def test_the_largest_steady_face_is_first():
    steady, brief, small = [2500.0] * 20, [8100.0] * 4, [900.0] * 30
    assert rank_people({1: brief, 2: small, 0: steady}) == [0, 1, 2]
    assert rank_people({2: [4.0], 1: [2.0, 2.0]}) == [1, 2]
    assert rank_people({}) == []
