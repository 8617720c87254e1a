"""Frames on the steps of the global clock."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from avtca.media.types import Frame

HOLD_S = 0.25
"""Longest time in seconds that a frame is repeated; longer gaps are missing frames."""
HALF_MS = Fraction(1, 2000)
"""Rounding error of timestamps in containers with a tick of 1 ms (flv, mkv)."""

T = TypeVar("T")


def nearest_frames(
    timed: Iterable[tuple[Fraction, Fraction, T]], rate: float
) -> Iterator[tuple[int, float, T]]:
    """At most one frame for each step: the one nearest to the middle of the step.

    Args:
        timed: Timestamp and its rounding error in seconds, and the frame.
        rate: Steps a second.

    Yields:
        Step, timestamp in seconds and frame; steps ascending.
    """
    exact_rate = Fraction(rate).limit_denominator(10**6)
    kept: tuple[int, Fraction, Fraction, T] | None = None
    for time, error, frame in timed:
        step = int((time + error) * exact_rate)
        off = abs(time - (step + Fraction(1, 2)) / exact_rate)
        if kept is None or step == kept[0]:
            if kept is None or off < kept[1]:
                kept = step, off, time, frame
        elif step > kept[0]:
            yield kept[0], float(kept[2]), kept[3]
            kept = step, off, time, frame
    if kept is not None:
        yield kept[0], float(kept[2]), kept[3]


def hold_frames(frames: Iterable[Frame], rate: float) -> Iterator[Frame]:
    """Sample and hold: repeat each frame in the following steps that have none.

    Where a video has fewer frames a second than the clock has steps, a frame is repeated until
    the next one, for at most :data:`HOLD_S`. The last frame is not repeated.

    Args:
        frames: Frames with ascending steps.
        rate: Steps a second.
    """
    longest = int(HOLD_S * rate + 1e-9)
    last: Frame | None = None
    for frame in frames:
        if last is not None:
            for step in range(last.step + 1, min(frame.step, last.step + longest + 1)):
                yield replace(last, step=step)
        yield frame
        last = frame
