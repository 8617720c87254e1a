"""Steps of the global clock between the frames of slow video."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from avtca.media.media_file import Frame

HOLD_S = 0.25
"""Seconds that a frame is shown at most; longer gaps are missing pictures."""


def hold_frames(frames: Iterable[Frame], rate: float) -> Iterator[Frame]:
    """Frames with ascending steps, and each again in the steps that follow without one.

    As a player shows them: where a video has fewer frames a second than the clock has steps, a
    frame stays until the next comes, for at most :data:`HOLD_S`. Nothing follows the last one.
    """
    longest = int(HOLD_S * rate + 1e-9)
    last: Frame | None = None
    for frame in frames:
        if last is not None:
            for step in range(last.step + 1, min(frame.step, last.step + longest + 1)):
                yield replace(last, step=step)
        yield frame
        last = frame
