"""Turns that make faces upright, and their cost."""

import numpy as np
import pytest

from avtca.faces.upright import UprightCheck, turn
from avtca.image import ArrayImage
from avtca.media import Frame


class Counting:
    """A detector that counts its calls."""

    def __init__(self, detector):
        self.detector, self.calls = detector, 0
        self.upright_confidence = detector.upright_confidence

    def detect(self, rgb):
        self.calls += 1
        return self.detector.detect(rgb)


def check(used, frames, quarters):
    """The turn found for frames that were turned, and the detections it took beyond the usual."""
    detector = Counting(used)
    checked = UprightCheck(detector)
    for frame in frames:
        turned = Frame(frame.step, frame.time_s, ArrayImage(turn(frame.rgb, quarters)))
        checked.add(turned, used.detect(turned.rgb))
    return checked.quarter_turns(), detector.calls


CLIPS = ["1001_DFA_HAP_XX.flv", "obama_speech.mp4", "short_hamilton_clip.mp4"]


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_the_turn_is_found(frames, slime, name, quarters):
    found, calls = check(slime, frames(name)[::4], quarters)
    assert (found + quarters) % 4 == 0
    assert calls <= 3 * 6
    if quarters == 0 and "hamilton" not in name:
        assert calls == 0  # nothing is tried where the faces are upright


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_blazeface_finds_the_turn_too(frames, blazeface, quarters):
    found, calls = check(blazeface, frames("1001_DFA_HAP_XX.flv")[::4], quarters)
    assert (found + quarters) % 4 == 0
    assert quarters or calls == 0


@pytest.mark.parametrize("quarters", [0, 1, 2])
def test_a_face_in_a_few_frames_only(frames, slime, quarters):
    found, _ = check(slime, frames("noface_face.mov")[::2], quarters)
    assert (found + quarters) % 4 == 0


@pytest.mark.parametrize("name", ["no_face.mp4", "park.mp4"])
def test_without_faces_nothing_is_turned(frames, slime, name):
    found, calls = check(slime, frames(name)[::2], 0)
    assert found == 0 and calls <= 3 * 6


def test_turns_are_counterclockwise():
    assert turn(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), 1)[0, 0].tolist() == [3, 4, 5]
