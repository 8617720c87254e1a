"""Who speaks in a recording that is still going on, while several faces are in view."""

from collections import deque
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from avtca.faces import TrackedFace
from avtca.image import ArrayImage
from avtca.media import Moment
from avtca.speaker import (
    FRAME_RATE,
    MOUTH_RATE,
    MouthRecorder,
    MouthSeries,
    SpeechLevels,
    find_speakers,
)
from avtca.speaker.speech import CHUNK, MAX_INTERVAL_S, VOICE_RATE

KEPT_S = 15.0
"""Seconds before now that are evidence."""
TICKS = VOICE_RATE * CHUNK // MOUTH_RATE
"""Ticks of the voice activity of which one decision is made."""
SILENCE_DB = -120.0


class LiveSpeech:
    """Records mouths and levels of the last :data:`KEPT_S` seconds.

    Attributes:
        several: Whether several faces are in view; mouths are read only then.

    Args:
        sample_rate: Hz of the audio.
    """

    def __init__(self, sample_rate: int) -> None:
        self.several = False
        self._sample_rate = sample_rate
        self._mouths = MouthRecorder()
        self._moments: deque[Moment] = deque()
        self._frame_step = -1
        self.skip_to(0)

    def skip_to(self, sample: int) -> None:
        """Audio goes on at a sample."""
        self._levels = SpeechLevels(self._sample_rate)
        self._first_level = round(sample / self._sample_rate * MOUTH_RATE)

    def needs(self, time_s: float) -> bool:
        """Whether the mouths of a frame of this time are read."""
        return self.several and int(time_s * FRAME_RATE) > self._frame_step

    def add_frame(self, time_s: float, rgb: NDArray[np.uint8]) -> None:
        """Keep a frame until its faces are known."""
        if self.needs(time_s):
            self._frame_step = int(time_s * FRAME_RATE)
            self._moments.append(Moment(time_s, ArrayImage(rgb)))

    def add_faces(self, time_s: float, faces: Sequence[TrackedFace]) -> None:
        """Read the mouths of the frames up to this time."""
        moments = []
        while self._moments and self._moments[0].time_s <= time_s + 1e-6:
            moments.append(self._moments.popleft())
        self.several = len(faces) > 1
        if moments:
            self._mouths.add(moments, faces)

    def add_audio(self, block: NDArray[np.float32]) -> None:
        """Add the next block, mono."""
        self._levels.add(block)

    def speaking(
        self,
        window: tuple[float, float],
        people: Collection[int],
        voiced: NDArray[np.bool_],
        end_tick: int,
        still: Collection[int],
    ) -> dict[int, float | None]:
        """Share of a window in which each person speaks, ``None`` where it is undecided.

        Args:
            window: Start and end in seconds.
            people: The people in it.
            voiced: Voice activity up to the end of the window.
            end_tick: Tick after the last one of ``voiced``.
            still: People whose faces never move.
        """
        self._mouths.finish()
        first = -(-max(0, end_tick - len(voiced)) // TICKS) * TICKS
        first_s = first / VOICE_RATE
        levels = self._levels_from(first * MOUTH_RATE // VOICE_RATE)
        mouths = {}
        for person, series in list(self._mouths.series.items()):
            drop = int(np.searchsorted(series.times, first_s))
            del series.times[:drop], series.values[:drop]
            if series.times:
                times = [time_s - first_s for time_s in series.times]
                mouths[person] = MouthSeries(times, series.values)
            else:
                del self._mouths.series[person]
        if any(_is_sparse(series.times) for series in mouths.values()):
            return dict.fromkeys(people)
        heard = voiced[len(voiced) - (end_tick - first) :]
        speech = find_speakers(mouths, levels, heard, still=still)
        start_s, end_s = (edge - first_s for edge in window)
        return {person: speech.share(start_s, end_s, person) for person in people}

    def _levels_from(self, first: int) -> NDArray[np.float64]:
        """Levels from a step on; silence where there was no audio."""
        missing = max(0, self._first_level - first)
        known = self._levels.values()[max(0, first - self._first_level) :]
        return np.concatenate((np.full(missing, SILENCE_DB), known))


def _is_sparse(times: Sequence[float]) -> bool:
    """Whether frames are too few, as where a busy machine drops pictures."""
    return len(times) > 1 and times[-1] - times[0] > MAX_INTERVAL_S * (len(times) - 1)
