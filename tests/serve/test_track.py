"""The track of a recording: boxes as a player shows them, and the waveform."""

import numpy as np
import pytest

from avtca.errors import MediaError
from avtca.faces import TrackedFace
from avtca.faces.upright import turn
from avtca.image import ArrayImage
from avtca.media import Frame
from avtca.serve.track import Limits, Track

WIDTH, HEIGHT = 40, 24
BOX = (5, 3, 11, 13)
"""A bright rectangle in the upright frame."""


def frame(step, image, held_s=0.0):
    return Frame(step, step / 10 + 0.013, ArrayImage(image), held_s=held_s)


def face(box, step, person=2):
    return TrackedFace(
        box=np.array(box, np.float32),
        landmarks=np.zeros((5, 2), np.float32),
        confidence=1.0,
        person=person,
        step=step,
        time_s=step / 10 + 0.013,
    )


@pytest.mark.parametrize("quarters", range(4))
def test_boxes_of_turned_frames_are_those_of_the_frame_that_is_shown(quarters):
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x0, y0, x1, y1 = BOX
    image[y0:y1, x0:x1] = 255
    turned = turn(image, quarters)
    rows, columns = np.nonzero(turned[..., 0])
    found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    track = Track("a.mp4", 60, 10**6, 16_000, 0.1)
    track.started(quarters)
    track.frame(frame(0, turned), [face(found, 0)])
    track.frame(frame(1, turned, held_s=0.1), [face(found, 1)])
    plain = track.to_dict()
    assert (plain["width"], plain["height"]) == (WIDTH, HEIGHT)
    assert plain["faces"] == [{"person": 2, "time_s": [0.013], "box": [list(map(float, BOX))]}]
    assert plain["frames"] == [0.013]


def test_the_waveform_has_the_peak_of_each_fiftieth_second():
    track = Track("a.mp4", 60, 10**6, 16_000, 0.1)
    wave = np.zeros(16_000, np.float32)
    wave[330], wave[-1] = -0.5, 0.25
    for block in np.split(wave, [100, 5_001, 15_990]):
        track.audio(block)
    peaks = track.to_dict()["waveform"]["peaks"]
    assert len(peaks) == 50
    assert {k: peak for k, peak in enumerate(peaks) if peak} == {1: 0.5, 49: 0.25}


def test_limits_hold_while_reading_too():
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    with pytest.raises(MediaError, match=r"a\.mp4: its frames have 40 x 24 pixels"):
        Limits("a.mp4", 60, 100, 16_000).frame(frame(0, image), [])
    with pytest.raises(MediaError, match=r"longer than the 1 s"):
        Limits("a.mp4", 1, 10**6, 16_000).frame(frame(20, image), [])
    with pytest.raises(MediaError, match=r"longer than the 1 s"):
        Limits("a.mp4", 1, 10**6, 16_000).audio(np.zeros(16_001, np.float32))
