"""Who is who from frame to frame, within a shot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avtca.faces.assignment import assign
from avtca.faces.shots import ShotWatch
from avtca.faces.types import Detection, Float, Picture, TrackedFace

START_CONFIDENCE = 0.6
"""A person is first seen with at least this confidence; later, with what the detector gives."""
MAX_GAP_S = 0.75
"""A person not seen for longer comes back as another."""
MAX_SPEED = 3.0
"""How far a face may stray from where it was expected, in its own sizes a second, besides..."""
SLACK = 0.35
"""...this much at once, in its own sizes."""
MAX_GROWTH = 1.8
"""Most ratio of a face's size to its size when it was last seen."""
ALONE = 2.0
"""Price of a person and a face that are not paired; a pair costs 0..1. So two likely pairs are
better than one surer one: in a sweep of the camera all faces move on by one alike."""
STEADY = 0.5
"""Weight of the newest step in the speed that is expected to go on."""


@dataclass
class _Person:
    number: int
    middle: NDArray[np.float64]
    size: float
    time_s: float
    speed: NDArray[np.float64]
    """Pixels a second, ``(2,)``."""

    def expected(self, time_s: float) -> NDArray[np.float64]:
        return self.middle + self.speed * (time_s - self.time_s)


class Tracker:
    """Gives each face of a stream of frames the number of a person.

    Faces are paired with the persons of the shot so that they are, in all, nearest to where each
    was going, in units of their size; nobody may jump or change size beyond the constants above.
    Numbers count up from 0 and are never used again: after a cut, or after
    :data:`MAX_GAP_S` out of sight, a person who returns has a new one. Made for 3 to 30 frames a
    second; one tracker reads one clip.
    """

    def __init__(self) -> None:
        self._shots = ShotWatch()
        self._people: list[_Person] = []
        self._next = 0

    def update(self, frame: Picture, detections: Sequence[Detection]) -> list[TrackedFace]:
        """The faces of the next frame with their persons, in the order of the persons' numbers.

        ``detections`` are those of ``frame.rgb``. A face fainter than :data:`START_CONFIDENCE`
        that continues nobody is left out.
        """
        now = frame.time_s
        if self._shots.is_new_shot(frame.rgb):
            self._people = []
        self._people = [p for p in self._people if now - p.time_s <= MAX_GAP_S]
        cost = np.array(
            [[_strangeness(person, face, now) for face in detections] for person in self._people]
        ).reshape(len(self._people), len(detections))
        who: dict[int, _Person] = {}
        for i, j in assign(np.where(cost < 1, cost, np.inf), ALONE):
            _move(self._people[i], detections[j], now)
            who[j] = self._people[i]
        for j, face in enumerate(detections):
            if j not in who and face.confidence >= START_CONFIDENCE:
                middle, size = _place(face.box)
                who[j] = _Person(self._next, middle, size, now, np.zeros(2))
                self._people.append(who[j])
                self._next += 1
        faces = [
            TrackedFace(
                **vars(detections[j]), person=person.number, step=frame.step, time_s=frame.time_s
            )
            for j, person in who.items()
        ]
        return sorted(faces, key=lambda face: face.person)


def _strangeness(person: _Person, face: Detection, now: float) -> float:
    """From 0, a face where and as large as expected, to 1 and more: somebody else."""
    middle, size = _place(face.box)
    scale = (size + person.size) / 2
    growth = abs(np.log(size / person.size)) / np.log(MAX_GROWTH)
    # Nearer of where the person was going and where the person was: movement may just have ended.
    way = min(
        float(np.linalg.norm(middle - person.expected(now))),
        float(np.linalg.norm(middle - person.middle)) + 0.2 * scale,
    )
    reach = (SLACK + MAX_SPEED * (now - person.time_s)) * scale
    return float(np.hypot(way / reach, growth))


def _move(person: _Person, face: Detection, now: float) -> None:
    middle, size = _place(face.box)
    passed = max(now - person.time_s, 1e-3)
    person.speed = (1 - STEADY) * person.speed + STEADY * (middle - person.middle) / passed
    person.middle, person.size, person.time_s = middle, size, now


def _place(box: Float) -> tuple[NDArray[np.float64], float]:
    """Middle ``(2,)`` and size (root of the area, at least a pixel) of a box."""
    low, high = box[:2].astype(np.float64), box[2:].astype(np.float64)
    return (low + high) / 2, max(float(np.sqrt(np.prod(np.maximum(high - low, 0)))), 1.0)
