"""Slow video: a frame stays until the next one comes, as a player shows it."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from avtca.image import ArrayImage
from avtca.media import Frame, hold_frames
from avtca.media.clock import NearestFrames, StreamClock, nearest_frames, seconds_after


def frames(steps):
    images = [ArrayImage(np.full((1, 1, 3), step, np.uint8)) for step in steps]
    return [Frame(step, step / 10, image) for step, image in zip(steps, images, strict=True)]


def test_a_frame_stays_until_the_next_for_ten_seconds_at_most():
    shown = list(hold_frames(frames([1, 2, 4, 9]), 10))
    assert [frame.step for frame in shown] == list(range(1, 10))
    assert [int(frame.rgb[0, 0, 0]) for frame in shown] == [1, 2, 2, 4, 4, 4, 4, 4, 9]
    assert shown[2].time_s == 0.2 and shown[2].held_s == 0.1
    assert [frame.held_s for frame in shown if frame.step in (1, 2, 4, 9)] == [0.0] * 4
    assert [frame.step for frame in hold_frames(frames([0, 250]), 10)] == [*range(101), 250]


def test_the_last_frame_stays_for_its_own_length():
    (last,) = frames([3])
    for length, end in ((0.0, 4), (0.04, 4), (0.19, 4), (0.2, 5), (1.0, 13), (60.0, 104)):
        shown = hold_frames([replace(last, length_s=length)], 10)
        assert [frame.step for frame in shown] == list(range(3, end))


def test_fast_video_passes_as_it_is():
    given = frames(range(5))
    assert list(hold_frames(given, 10)) == given
    assert list(hold_frames([], 10)) == []
    assert [f.step for f in hold_frames(frames([0, 3]), 4)] == [0, 1, 2, 3]


def test_a_run_of_frames_moves_the_clock_as_its_frames_do():
    """A recording is joined where timestamps go back from the last frame of a run."""

    def clock():
        return StreamClock([], lambda gap, to: False, lambda: None)

    tenth = 0.1
    alone, runs = clock(), clock()
    for k in range(10):
        alone.place(k * tenth, tenth)
    assert runs.place(0.0, 10 * tenth, 9 * tenth) == 0
    back = 0.5  # later than the first frame of the run
    times = alone.place(back, tenth), runs.place(back, tenth)
    assert times == pytest.approx((1, 1), abs=1e-9)


def test_the_nearest_frame_is_given_as_soon_as_it_is_known():
    nearest = NearestFrames(10)

    def add(time_s):
        given = [*nearest.add(time_s, 0.0, time_s), *nearest.settled()]
        return [step for step, _, _ in given], [name for _, _, name in given]

    assert add(0.03) == ([], [])  # one at 0.05 would be nearer
    assert add(0.09) == ([0], [0.03])
    assert nearest.is_given(0.095, 0.0)
    assert not nearest.is_given(0.11, 0.0)
    assert add(0.15) == ([1], [0.15])
    assert add(0.19) == ([], [])
    assert add(0.21) == ([], [])
    assert add(0.34) == ([2], [0.21])
    assert [name for _, _, name in nearest.finish()] == [0.34]
    assert list(nearest.finish()) == []


def test_of_two_frames_as_near_the_earlier_is_given_at_any_time():
    """30 frames a second: 2 and 3 of each step are as far from its middle, but for rounding."""
    times = [(k / 30, 1 / 2000, k) for k in range(300_000, 330_000)]
    assert [k for _, _, k in nearest_frames(times, 10)] == list(range(300_001, 330_000, 3))


def test_times_are_the_nearest_numbers_to_the_exact_ones():
    """Ticks since 1970 differ by less than floating-point seconds tell."""
    tick, zero = Fraction(1, 90_000), Fraction(1_700_000_000)
    ticks = 1_700_000_000 * 90_000
    assert [seconds_after(ticks + k, tick, zero) for k in (0, 1, 9000)] == [0, 1 / 90_000, 0.1]
