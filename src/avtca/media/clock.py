"""Timestamps on the clip's clock, and frames on the steps of the global clock."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Generic, TypeVar

from avtca.media.types import Frame

MAX_HOLD_S = 10.0
"""Longest time in seconds that a frame is repeated; longer gaps have no frames."""
SHORT_HOLD_S = 0.25
"""Frames that are repeated for longer are reported: the video has few frames."""
HALF_MS = 0.0005
"""Rounding error of timestamps in containers with a tick of 1 ms (flv, mkv)."""
JOIN_BACK_S = 0.2
"""Timestamps that go back by more than this start another recording in the same file."""
SAME_CLOCK_S = 0.1
"""Timestamps this near to the clock before a jump have returned to it."""
MAX_JOIN_SKEW_S = 1
"""Largest difference of the ends of audio and video for which a join keeps both in step."""

SAME_S = 1e-9
"""Floating-point times this near to each other are the same: ticks are longer."""

T = TypeVar("T")


def seconds_after(ticks: int, base: Fraction, zero: Fraction = Fraction(0)) -> float:
    """Seconds from ``zero`` to a timestamp, the nearest number to the exact value."""
    (n, d), (zero_n, zero_d) = base.as_integer_ratio(), zero.as_integer_ratio()
    return (ticks * n * zero_d - zero_n * d) / (d * zero_d)


class StreamClock:
    """Times of one stream on a clock that only grows.

    In joined recordings (MPEG-TS, Matroska, chained Ogg, restarted encoders) the timestamps go
    back; each recording then continues where the one before ended, as ``ffmpeg`` does it.

    Args:
        joins: Offset in seconds of each recording after the first, shared by the streams of a
            file so that they stay in step; the stream that is ahead adds to it.
        is_damage: Called with the length and the end of a jump ahead, in seconds; whether the
            jump is to be ignored.
        warn_join: Called at each join.
        start: The earliest time that a frame can have.
    """

    def __init__(
        self,
        joins: list[float],
        is_damage: Callable[[float, float], bool],
        warn_join: Callable[[], None],
        start: float = 0.0,
    ) -> None:
        self._joins, self._is_damage, self._warn_join = joins, is_damage, warn_join
        self._n_joins = 0
        self._offset = 0.0
        self._before: float | None = None  # offset before the last jump
        self._raw_end: float | None = None
        self._last_stamp = 0.0
        self._end = start

    def place(self, stamp: float | None, length: float, last: float | None = None) -> float:
        """Start of the next frame, or of several that follow each other, in seconds.

        Args:
            stamp: Timestamp of the frame; by default the frame follows the one before.
            length: Length of the frame, or of all of them, in seconds.
            last: Timestamp of the last of several frames.
        """
        if stamp is None:
            time = self._end
            if self._raw_end is not None:
                self._raw_end += length
        else:
            if self._raw_end is not None:
                self._check(stamp, stamp - self._raw_end)
            time = stamp + self._offset
            self._last_stamp, self._raw_end = stamp if last is None else last, stamp + length
        self._end = max(self._end, time + length)
        return time

    def _check(self, stamp: float, gap: float) -> None:
        before = self._before
        if (
            before is not None
            and abs(gap) > SAME_CLOCK_S
            and abs(stamp + before - self._end) <= SAME_CLOCK_S
        ):
            self._offset, self._before = before, None
        elif stamp < self._last_stamp - JOIN_BACK_S:
            self._before = self._offset
            self._offset = self._end - stamp
            if self._n_joins == len(self._joins):
                self._joins.append(self._offset)
            elif abs(self._joins[self._n_joins] - self._offset) <= MAX_JOIN_SKEW_S:
                self._offset = self._joins[self._n_joins]
            self._n_joins += 1
            self._warn_join()
        elif gap > 0 and self._is_damage(gap, stamp + self._offset):
            self._before = self._offset
            self._offset = self._end - stamp


def step_of(time: float, error: float, rate: float) -> tuple[int, float]:
    """Step of a frame, and how far it is from the middle of the step, in seconds."""
    step = int((time + error + SAME_S) * rate)
    return step, abs(time - (step + 0.5) / rate)


class NearestFrames(Generic[T]):
    """Keeps at most one frame for each step, as :func:`nearest_frames`; frames are pushed.

    Args:
        rate: Steps a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._kept: tuple[int, float, float, T] | None = None
        self._is_given = False
        self._latest = 0.0

    def add(self, time: float, error: float, frame: T) -> Iterator[tuple[int, float, T]]:
        """Add a frame; gives the one of a step before, once this one shows that it is nearest."""
        step, off = step_of(time, error, self._rate)
        kept, self._latest = self._kept, time
        if kept is None or step > kept[0]:
            yield from self.finish()
            self._kept, self._is_given = (step, off, time, frame), False
        elif step == kept[0] and off < kept[1] - SAME_S and not self._is_given:
            self._kept = step, off, time, frame

    def is_given(self, time: float, error: float) -> bool:
        """Whether the frame of this time's step was given, so that another is not needed."""
        step, _ = step_of(time, error, self._rate)
        return self._is_given and self._kept is not None and step == self._kept[0]

    def settled(self) -> Iterator[tuple[int, float, T]]:
        """The frame of the last step, once one has come for the second half of the step.

        No later frame can be nearer, if timestamps ascend.
        """
        kept = self._kept
        if kept is not None and self._latest + SAME_S >= (kept[0] + 0.5) / self._rate:
            yield from self.finish()

    def finish(self) -> Iterator[tuple[int, float, T]]:
        """The frame of the last step, unless it was given."""
        if self._kept is not None and not self._is_given:
            self._is_given = True
            yield self._kept[0], self._kept[2], self._kept[3]


def nearest_frames(
    timed: Iterable[tuple[float, float, T]], rate: float
) -> Iterator[tuple[int, float, T]]:
    """At most one frame for each step: the one nearest to the middle of the step.

    Args:
        timed: Timestamp and its rounding error in seconds, and the frame.
        rate: Steps a second.

    Yields:
        Step, timestamp in seconds and frame; steps ascending.
    """
    for step, time_s, frame, _ in dense_frames(timed, rate, 0.0):
        yield step, time_s, frame


def dense_frames(
    timed: Iterable[tuple[float, float, T]], rate: float, dense_rate: float
) -> Iterator[tuple[int, float, T, list[tuple[float, T]]]]:
    """As :func:`nearest_frames`, with the frames of a denser clock since the frame before.

    Args:
        timed: Timestamp and its rounding error in seconds, and the frame.
        rate: Steps a second.
        dense_rate: Steps of the denser clock a second; 0 for none.

    Yields:
        Step, timestamp in seconds and frame, and timestamps and frames of the denser clock.
    """
    nearest: NearestFrames[T] = NearestFrames(rate)
    denser: NearestFrames[T] | None = NearestFrames(dense_rate) if dense_rate else None
    waiting: list[tuple[float, T]] = []

    def ready(until: float) -> list[tuple[float, T]]:
        done = [moment for moment in waiting if moment[0] <= until]
        waiting[:] = waiting[len(done) :]
        return done

    for time, error, frame in timed:
        if denser is not None:
            waiting += [moment[1:] for moment in denser.add(time, error, frame)]
        for found in nearest.add(time, error, frame):
            yield *found, ready(found[1])
    if denser is not None:
        waiting += [moment[1:] for moment in denser.finish()]
    for found in nearest.finish():
        yield *found, ready(found[1])


class FrameHold:
    """Sample and hold as :func:`hold_frames`; frames are pushed.

    Args:
        rate: Steps a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._last: Frame | None = None

    def add(self, frame: Frame) -> Iterator[Frame]:
        """The frame before in the steps up to this frame, then this frame."""
        if self._last is not None:
            yield from _repeat(self._last, frame.step, self._rate)
        yield frame
        self._last = frame

    def finish(self) -> Iterator[Frame]:
        """The last frame in the rest of its own length."""
        if (last := self._last) is not None:
            end = int((last.time_s + last.length_s) * self._rate + 1e-6)
            yield from _repeat(last, end, self._rate)


def hold_frames(frames: Iterable[Frame], rate: float) -> Iterator[Frame]:
    """Sample and hold: repeat each frame in the following steps that have none.

    As a player shows it, a frame is repeated until the next one, for at most :data:`MAX_HOLD_S`,
    and the last one for its own length.

    Args:
        frames: Frames with ascending steps.
        rate: Steps a second.
    """
    hold = FrameHold(rate)
    for frame in frames:
        yield from hold.add(frame)
    yield from hold.finish()


def _repeat(frame: Frame, end: int, rate: float) -> Iterator[Frame]:
    """The frame in the steps after its own, before ``end``."""
    for step in range(frame.step + 1, min(end, frame.step + int(MAX_HOLD_S * rate + 1e-9) + 1)):
        yield replace(frame, step=step, held_s=(step - frame.step) / rate, dense=())
