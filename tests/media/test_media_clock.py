"""Slow video: a frame stays until the next one comes, as a player shows it."""

import numpy as np

from avtca.media import Frame, hold_frames


def frames(steps):
    return [Frame(step, step / 10, np.full((1, 1, 3), step, np.uint8)) for step in steps]


def test_a_frame_stays_for_a_quarter_of_a_second_at_most():
    shown = list(hold_frames(frames([1, 2, 4, 9]), 10))
    assert [frame.step for frame in shown] == [1, 2, 3, 4, 5, 6, 9]
    assert [int(frame.rgb[0, 0, 0]) for frame in shown] == [1, 2, 2, 4, 4, 4, 9]
    assert shown[2].time_s == 0.2


def test_fast_video_passes_as_it_is():
    given = frames(range(5))
    assert list(hold_frames(given, 10)) == given
    assert list(hold_frames([], 10)) == []
    assert [f.step for f in hold_frames(frames([0, 3]), 4)] == [0, 1, 3]
