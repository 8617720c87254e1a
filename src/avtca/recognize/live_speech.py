"""Who speaks in a recording that is still going on, while several faces are in view."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace

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
    Speech,
    SpeechLevels,
    find_speakers,
)
from avtca.speaker.evidence import MAX_GAP_S
from avtca.speaker.speech import CHUNK, MAX_INTERVAL_S, UNKNOWN, VOICE_RATE

TICKS = VOICE_RATE * CHUNK // MOUTH_RATE
"""Ticks of the voice activity of which one decision is made."""
SILENCE_DB = -120.0


class LiveSpeech:
    """Records mouths and levels for as long as the voice activity is kept.

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
        self._faceless: deque[float] = deque()
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
        if not faces:
            self._faceless.append(time_s)
        if moments:
            self._mouths.add(moments, faces)

    def add_audio(self, block: NDArray[np.float32]) -> None:
        """Add the next block, mono."""
        self._levels.add(block)

    def find(
        self, voiced: NDArray[np.bool_], end_tick: int, still: Collection[int]
    ) -> Speech | None:
        """Who speaks up to now, ``None`` where frames are too few. What is older is dropped.

        Args:
            voiced: The last voice activity.
            end_tick: Tick after the last one of ``voiced``.
            still: People whose faces never move.
        """
        self._mouths.finish()
        first = -(-max(0, end_tick - len(voiced)) // TICKS) * TICKS
        first_s = first / VOICE_RATE
        levels = self._levels_from(first * MOUTH_RATE // VOICE_RATE)
        while self._faceless and self._faceless[0] < first_s:
            self._faceless.popleft()
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
            return None
        heard = voiced[len(voiced) - (end_tick - first) :]
        speech = find_speakers(mouths, levels, heard, still=still)
        known = [time_s - first_s for time_s in self._faceless]
        known += [time_s for series in mouths.values() for time_s in series.times]
        chunks = (np.array(known) * (MOUTH_RATE / CHUNK)).astype(int)
        unread = ~np.isin(np.arange(len(heard)) // TICKS, chunks)
        return replace(speech, speaker=np.where(unread, UNKNOWN, speech.speaker), first_tick=first)

    def _levels_from(self, first: int) -> NDArray[np.float64]:
        """Levels from a step on, silence where there was no audio; earlier ones are dropped."""
        self._levels.forget(first - self._first_level)
        missing = max(0, self._first_level - first)
        return np.concatenate((np.full(missing, SILENCE_DB), self._levels.values()))


def _is_sparse(times: Sequence[float]) -> bool:
    """Whether frames are too few, as where a busy machine drops pictures; absences do not count."""
    gaps = np.diff(times)
    present = gaps[gaps <= MAX_GAP_S]
    return bool(len(gaps)) and (not len(present) or present.mean() > MAX_INTERVAL_S)
