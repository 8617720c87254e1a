import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avtca.faces import TEMPLATE, Detection, Tracker, track_faces
from avtca.faces.shots import ShotDetector, descriptor
from avtca.image import ArrayImage
from avtca.media import Frame

IMAGE = ArrayImage(np.zeros((18, 32, 3), np.uint8))
CUTS_S = (1.511, 3.580, 7.884)
"""Of short_hamilton_clip.mp4, seen by eye: the first frame of each new shot."""


def face(x, y=100.0, size=60.0, confidence=0.9):
    box = np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2], np.float32)
    return Detection(box, box[:2] + TEMPLATE * size, confidence)


def run(steps, rate=5.0, tracker=None):
    """Persons of each step; a step is a list of faces."""
    tracker = tracker or Tracker()
    out = []
    for step, faces in enumerate(steps):
        found = tracker.update(Frame(step, step / rate, IMAGE), faces)
        assert [(f.step, f.time_s) for f in found] == [(step, step / rate)] * len(found)
        where = {f.person: float(f.box[0] + f.box[2]) / 2 for f in found}
        assert list(where) == sorted(where)
        assert len(where) == len(found)
        out.append(where)
    return out


def test_two_people_who_cross_keep_their_numbers():
    """One walks right and one left, on different heights; they pass each other closely."""
    steps = [[face(50 + 30 * k, 100), face(450 - 30 * k, 130)] for k in range(14)]
    seen = run(steps)
    assert [set(s) for s in seen] == [{0, 1}] * 14
    assert [s[0] for s in seen] == [50 + 30 * k for k in range(14)]


def test_one_hides_behind_the_other_while_they_cross():
    steps = [[face(50 + 30 * k), face(450 - 30 * k)] for k in range(14)]
    for k in (6, 7):
        steps[k] = steps[k][:1]
    seen = run(steps)
    assert seen[-1] == {0: 50 + 30 * 13, 1: 450 - 30 * 13}


def test_a_sweep_of_the_camera_moves_all_alike():
    """Neighbours shift by most of their distance at once: the nearest is somebody else."""
    steps = [[face(100 + 50 * k), face(180 + 50 * k), face(260 + 50 * k)] for k in range(6)]
    assert run(steps)[-1] == {0: 350, 1: 430, 2: 510}


@pytest.mark.parametrize("missed, same", [(1, True), (2, True), (5, False)])
def test_a_face_missed_for_a_moment(missed, same):
    steps = [[face(100)]] * 4 + [[]] * missed + [[face(110)]] * 2
    assert list(run(steps)[-1]) == ([0] if same else [1])


def test_nobody_jumps_or_grows_at_once():
    assert list(run([[face(100)], [face(400)]])[-1]) == [1]
    assert list(run([[face(100, size=40)], [face(100, size=120)]])[-1]) == [1]


def test_faint_faces_continue_and_do_not_begin():
    faint = [face(100, confidence=0.5)]
    assert run([faint, faint]) == [{}, {}]
    assert list(run([[face(100)], faint, faint])[-1]) == [0]


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from([4.17, 10.0, 25.0]))
def test_people_who_stay_apart_are_never_swapped(data, rate):
    """Up to four people wander on their own ground; some are missed now and then."""
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    size, people = 60.0, data.draw(st.integers(1, 4))
    home = np.arange(people) * 2.2 * size + 100
    at, absent = home.copy(), np.zeros(people)
    numbers = {}
    tracker = Tracker()
    for step in range(40):
        at = np.clip(at + random.normal(0, 0.8 * size / rate, people), home - 30, home + 30)
        shown = (random.random(people) > 0.15) | ((absent + 2) / rate > 0.7)
        absent = np.where(shown, 0, absent + 1)
        faces = [face(at[i] + random.normal(0, 1), size=size) for i in np.flatnonzero(shown)]
        random.shuffle(faces)
        for found in tracker.update(Frame(step, step / rate, IMAGE), faces):
            who = int(np.argmin(np.abs(home - (found.box[0] + found.box[2]) / 2)))
            assert numbers.setdefault(who, found.person) == found.person
    assert len(set(numbers.values())) == len(numbers) == people


def test_a_crowd_keeps_its_numbers_in_little_time():
    """200 faces side by side, each moving by a tenth of its size; one call for each pair took 9 s
    for these 12 frames."""
    random = np.random.default_rng(1)
    home = [(60.0 * (k % 20), 60.0 * (k // 20)) for k in range(200)]
    started = time.process_time()
    tracker = Tracker()
    for step in range(12):
        near = [np.add(xy, random.uniform(-6, 6, 2)) for xy in home]
        found = tracker.update(Frame(step, step / 10, IMAGE), [face(x, y, 50) for x, y in near])
        centres = np.array([(f.box[:2] + f.box[2:]) / 2 for f in found])
        assert [f.person for f in found] == list(range(200))
        assert np.abs(centres - home).max() < 6.1
    assert time.process_time() - started < 4


def test_who_stands_in_the_same_place_after_a_cut_is_another(frames, slime):
    """The face of one clip, and that of another, put to the very same place."""
    one, two = frames("01-01-01-01-01-01-01.mp4")[:5], frames("obama_speech.mp4")[:5]
    tracker, shots = Tracker(), ShotDetector()
    persons = []
    for step, frame in enumerate([*one, *two]):
        frame = replace(frame, step=step, time_s=step / 5)
        new_shot = shots.is_new_shot(frame.rgb)
        persons += [f.person for f in tracker.update(frame, [face(100)], new_shot=new_shot)]
    assert persons == [0] * 5 + [1] * 5


@pytest.mark.parametrize("rate", [15 / 3.6, 10, 30])
def test_cuts_are_found_and_only_cuts(frames, rate):
    def cuts(name):
        shots = ShotDetector()
        return [f.time_s for f in frames(name, rate) if shots.is_new_shot(f.rgb)][1:]

    found = cuts("short_hamilton_clip.mp4")
    assert len(found) == len(CUTS_S)
    assert all(0 <= t - cut < 1.5 / rate for t, cut in zip(found, CUTS_S, strict=True))
    if rate < 30:
        assert cuts("obama_speech.mp4") == []
        assert cuts("1001_DFA_HAP_XX.flv") == []


def test_no_one_is_carried_over_a_cut(frames, slime):
    seen = {}
    for _, faces in track_faces(frames("short_hamilton_clip.mp4"), slime, 8):
        for found in faces:
            seen.setdefault(found.person, []).append(found.time_s)
    shots = [
        {int(np.searchsorted(CUTS_S, t, side="right")) for t in times} for times in seen.values()
    ]
    assert all(len(shot) == 1 for shot in shots)
    longest = max(seen.values(), key=len)
    assert len(longest) >= 17  # the singer, through the whole third shot


def test_shots_of_frames_with_fewer_pixels_than_cells():
    shots = ShotDetector()
    black, white = np.zeros((5, 7, 3), np.uint8), np.full((5, 7, 3), 255, np.uint8)
    assert [shots.is_new_shot(image) for image in (black, black, white, white[:4])] == [
        True,
        False,
        True,
        True,
    ]


def test_the_descriptor_of_a_frame():
    """Upper half black, lower half with a red of 64: roots 0 and 8, bins 0 and 6."""
    image = np.zeros((36, 64, 3), np.uint8)
    image[20:, :, 0] = 64
    cells, histogram = descriptor(image)
    assert cells.shape == (9, 16, 3) and np.linalg.norm(cells) == pytest.approx(1)
    assert cells.sum() == pytest.approx(0, abs=1e-12) and not cells[..., 1:].any()
    assert np.ptp(cells[:5, :, 0]) == np.ptp(cells[5:, :, 0]) == 0
    assert histogram[0] == pytest.approx(20 / 36) and histogram[6 * 144] == pytest.approx(16 / 36)
