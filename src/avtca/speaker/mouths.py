"""How mouths move: a few numbers for each face and frame, recorded while a file is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from avtca.faces import TrackedFace, align_image
from avtca.speaker.lips import CORNERS, CROP_PX, LOWER, MOUTH_TEMPLATE, UPPER, lip_points

if TYPE_CHECKING:
    from avtca.media import Moment

MOUTH_RATE = 25
"""Frames a second at which mouths are read, at most: syllables come at 3 to 8 a second."""
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

    def add(self, time_s: float, crop: NDArray[np.uint8], points: Float) -> None:
        """Add the next frame."""
        height = float(np.linalg.norm(points[UPPER] - points[LOWER]))
        width = float(np.linalg.norm(points[CORNERS[0]] - points[CORNERS[1]]))
        grey = crop[MOTION_ROWS, MOTION_COLUMNS].mean(axis=2, dtype=np.float32)
        motion = 0.0
        if self._grey is not None and time_s - self.times[-1] <= MAX_STEP_S:
            motion = float(np.abs(grey - self._grey).mean()) / max(1.0, float(grey.std()))
        self._grey = grey
        self.times.append(time_s)
        self.values.append((height, width, motion))


class MouthRecorder:
    """Records the mouths of a stream of frames; after :meth:`finish` ``series`` has them all."""

    def __init__(self) -> None:
        self.series: dict[int, MouthSeries] = {}
        self._waiting: list[tuple[int, float, NDArray[np.uint8]]] = []
        self._before: dict[int, TrackedFace] = {}

    def add(self, moments: "Sequence[Moment]", faces: Sequence[TrackedFace]) -> None:
        """Add the frames of the denser clock up to one with these faces.

        Between two frames with a face its landmarks are interpolated.
        """
        largest = sorted(faces, key=lambda face: -face.area)[:MAX_FACES]
        for face in largest:
            before = self._before.get(face.person)
            for moment in moments:
                if before is None and face.time_s - moment.time_s > MAX_STEP_S:
                    continue
                landmarks = _landmarks(before, face, moment.time_s)
                crop = align_image(moment.image, landmarks, CROP_PX, template=MOUTH_TEMPLATE)
                self._waiting.append((face.person, moment.time_s, crop))
        self._before = {face.person: face for face in faces}
        if len(self._waiting) >= BATCH:
            self._run()

    def finish(self) -> None:
        """Read the last mouths."""
        if self._waiting:
            self._run()

    def _run(self) -> None:
        points = lip_points(np.stack([crop for _, _, crop in self._waiting]))
        for (person, time_s, crop), of_crop in zip(self._waiting, points, strict=True):
            series = self.series.setdefault(person, MouthSeries())
            if not series.times or time_s > series.times[-1]:
                series.add(time_s, crop, of_crop)
        self._waiting.clear()


def _landmarks(before: TrackedFace | None, after: TrackedFace, time_s: float) -> Float:
    if before is None or after.time_s <= before.time_s:
        return after.landmarks
    share = np.clip((time_s - before.time_s) / (after.time_s - before.time_s), 0, 1)
    between = (1 - share) * before.landmarks + share * after.landmarks
    return np.asarray(between, np.float32)
