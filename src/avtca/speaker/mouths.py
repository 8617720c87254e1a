"""How mouths move: a few numbers for each face and frame, recorded while a file is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from avtca.faces import TrackedFace
from avtca.speaker.crops import mouth_crop, mouth_place
from avtca.speaker.lips import CORNERS, LOWER, UPPER, lip_points

if TYPE_CHECKING:
    from avtca.media import Moment

MOUTH_RATE = 25
"""Steps a second between which mouths are interpolated: syllables come at 3 to 8 a second."""
FRAME_RATE = 17.5
"""Frames a second in which mouths are read, at most (docs/speaker.md)."""
MAX_FACES = 6
"""Faces of a frame that are read, the largest first."""
BATCH = 16
"""Mouth crops in a batch of the network."""
MAX_STEP_S = 0.15
"""Frames further apart have no motion between them."""
MOTION_ROWS, MOTION_COLUMNS = slice(20, 56), slice(12, 52)
"""The part of a mouth crop whose change from frame to frame is its motion."""
Float = NDArray[np.float32]


@dataclass
class MouthSeries:
    """The mouth of one person over time.

    Attributes:
        times: Timestamps in seconds, ascending.
        values: For each time the height of the lips and the width of the mouth, in pixels of the
            crop, and the motion: mean change of grey since the frame before, over the contrast.
    """

    times: list[float] = field(default_factory=list)
    values: list[tuple[float, float, float]] = field(default_factory=list)
    _grey: Float | None = None

    def add(self, times: Sequence[float], crops: NDArray[np.uint8], points: Float) -> None:
        """Add the next frames.

        Args:
            times: Timestamps ``(n,)``, ascending.
            crops: Mouth crops ``(n, 64, 64)``.
            points: Points on the lips ``(n, 80, 2)``.
        """
        at, places = np.array(times), points.astype(np.float64) @ np.array([1, 1j])
        heights = abs(places[:, UPPER] - places[:, LOWER])
        widths = abs(places[:, CORNERS[0]] - places[:, CORNERS[1]])
        grey = crops[:, MOTION_ROWS, MOTION_COLUMNS].astype(np.float32)
        before = grey[:1] if self._grey is None else self._grey
        change = abs(np.diff(grey, axis=0, prepend=before)).mean(axis=(1, 2))
        motions = change / np.maximum(1.0, grey.std(axis=(1, 2)))
        steps = np.diff(at, prepend=self.times[-1] if self.times else -np.inf)
        motions[steps > MAX_STEP_S] = 0.0
        self._grey = grey[-1:]
        self.times += at.tolist()
        values = heights.tolist(), widths.tolist(), motions.tolist()
        self.values += zip(*values, strict=True)


class MouthRecorder:
    """Records the mouths of a stream of frames; after :meth:`finish` ``series`` has them all."""

    def __init__(self) -> None:
        self.series: dict[int, MouthSeries] = {}
        self._waiting: list[tuple[int, float, NDArray[np.uint8]]] = []
        self._before: dict[int, _Place] = {}

    def add(self, moments: "Sequence[Moment]", faces: Sequence[TrackedFace]) -> None:
        """Add the frames of the denser clock up to one with these faces.

        Between two frames with a face its landmarks are interpolated.
        """
        largest = sorted(faces, key=lambda face: -face.area)[:MAX_FACES]
        places = {face.person: _Place(face.time_s, *mouth_place(face)) for face in largest}
        for person, place in places.items():
            before = self._before.get(person)
            for moment in moments:
                if before is None and place.time_s - moment.time_s > MAX_STEP_S:
                    continue
                crop = mouth_crop(moment.image, *place.since(before, moment.time_s))
                self._waiting.append((person, moment.time_s, crop))
        self._before = places
        if len(self._waiting) >= BATCH:
            self._run()

    def finish(self) -> None:
        """Read the last mouths."""
        if self._waiting:
            self._run()

    def _run(self) -> None:
        crops = np.stack([crop for _, _, crop in self._waiting])
        points = lip_points(crops)
        for person in {person for person, _, _ in self._waiting}:
            series = self.series.setdefault(person, MouthSeries())
            last = series.times[-1] if series.times else -np.inf
            chosen = []
            for k, (who, time_s, _) in enumerate(self._waiting):
                if who == person and time_s > last:
                    chosen.append(k)
                    last = time_s
            if chosen:
                times = [self._waiting[k][1] for k in chosen]
                series.add(times, crops[chosen], points[chosen])
        self._waiting.clear()


@dataclass(frozen=True)
class _Place:
    """Where the crop of a mouth is, see :func:`mouth_place`."""

    time_s: float
    turn: complex
    shift: complex

    def since(self, before: "_Place | None", time_s: float) -> tuple[complex, complex]:
        """``turn`` and ``shift`` between an earlier place and this one."""
        if before is None or self.time_s <= before.time_s:
            return self.turn, self.shift
        share = min(max((time_s - before.time_s) / (self.time_s - before.time_s), 0.0), 1.0)
        turn = (1 - share) * before.turn + share * self.turn
        return turn, (1 - share) * before.shift + share * self.shift
