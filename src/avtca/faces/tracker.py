"""Person numbers for the faces of successive frames, within a shot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avtca.faces.assignment import assign
from avtca.faces.types import Detection, Float, FrameLike, TrackedFace

START_CONFIDENCE = 0.6
"""Minimum confidence of a person's first detection; later detections may be fainter."""
MAX_GAP_S = 0.75
"""The track of a person out of sight for longer ends."""
MAX_SPEED = 3.0
"""Largest deviation from the expected position, in face sizes a second ..."""
SLACK = 0.35
"""... plus this much, in face sizes."""
MAX_GROWTH = 1.8
"""Largest ratio of a face's size to its size when last seen."""
UNMATCHED_COST = 2.0
"""Cost of one unmatched person and one unmatched face; a match costs 0..1. Two plausible matches
are thus preferred to one better match: in a camera pan every face moves by one place."""
VELOCITY_SMOOTHING = 0.5
"""Weight of the newest step in a person's velocity."""


@dataclass
class _Person:
    number: int
    centre: NDArray[np.float64]
    size: float
    time_s: float
    velocity: NDArray[np.float64]
    """Pixels a second, ``(2,)``."""
    shown_s: float
    """Last time in view, later than ``time_s`` while a frame is repeated."""

    def expected(self, time_s: float) -> NDArray[np.float64]:
        return self.centre + self.velocity * (time_s - self.time_s)

    def move(self, face: Detection, now: float) -> None:
        centre, size = _place(face.box)
        passed = max(now - self.time_s, 1e-3)
        newest = (centre - self.centre) / passed
        self.velocity = (1 - VELOCITY_SMOOTHING) * self.velocity + VELOCITY_SMOOTHING * newest
        self.centre, self.size, self.time_s, self.shown_s = centre, size, now, now


class Tracker:
    """Assigns a person number to each face of a stream of frames.

    Faces are matched to the people of the shot so that the total distance from the expected
    positions, in face sizes, is least; no match exceeds the limits of position and size above.
    Numbers count up from 0 and are never reused: a person who returns after a cut, or after
    :data:`MAX_GAP_S` out of sight, gets a new one, which :mod:`avtca.faces.reappearance` may
    replace. Designed for 3 to 30 frames a second. Use one tracker for one clip.
    """

    def __init__(self) -> None:
        self._people: list[_Person] = []
        self._next = 0
        self._now = 0.0

    def hold(self, now: float) -> None:
        """The last frame is repeated up to ``now``, in seconds: its faces are still in view."""
        for person in self._people:
            if person.time_s == self._now:
                person.shown_s = now

    def update(
        self, frame: FrameLike, detections: Sequence[Detection], *, new_shot: bool = False
    ) -> list[TrackedFace]:
        """Track the detections of the next frame.

        Args:
            frame: The frame, later than all before.
            detections: Its faces.
            new_shot: Whether the frame begins a new shot.

        Returns:
            The faces in the order of their person numbers. Unmatched faces below
            :data:`START_CONFIDENCE` are left out.
        """
        now = self._now = frame.time_s
        if new_shot:
            self._people = []
        self._people = [p for p in self._people if now - p.shown_s <= MAX_GAP_S]
        cost = _costs(self._people, detections, now)
        matched: dict[int, _Person] = {}
        for i, j in assign(np.where(cost < 1, cost, np.inf), UNMATCHED_COST):
            self._people[i].move(detections[j], now)
            matched[j] = self._people[i]
        for j, face in enumerate(detections):
            if j not in matched and face.confidence >= START_CONFIDENCE:
                centre, size = _place(face.box)
                matched[j] = _Person(self._next, centre, size, now, np.zeros(2), now)
                self._people.append(matched[j])
                self._next += 1
        faces = [
            TrackedFace(
                **vars(detections[j]), person=person.number, step=frame.step, time_s=frame.time_s
            )
            for j, person in matched.items()
        ]
        return sorted(faces, key=lambda face: face.person)


def _costs(
    people: Sequence[_Person], faces: Sequence[Detection], now: float
) -> NDArray[np.float64]:
    """``(people, faces)``: 0 for the expected position and size; 1 and more where impossible."""
    if not people or not faces:
        return np.zeros((len(people), len(faces)))
    places = [_place(face.box) for face in faces]
    centre, size = np.array([c for c, _ in places]), np.array([s for _, s in places])
    sizes = np.array([person.size for person in people])[:, None]
    scale = (size + sizes) / 2
    growth = np.abs(np.log(size / sizes)) / np.log(MAX_GROWTH)
    # The nearer of the expected and the last position: the person may just have stopped.
    expected = np.array([person.expected(now) for person in people])[:, None]
    last = np.array([person.centre for person in people])[:, None]
    distance = np.minimum(
        np.linalg.norm(centre - expected, axis=2),
        np.linalg.norm(centre - last, axis=2) + 0.2 * scale,
    )
    passed = np.array([now - person.time_s for person in people])[:, None]
    cost: NDArray[np.float64] = np.hypot(distance / ((SLACK + MAX_SPEED * passed) * scale), growth)
    return cost


def _place(box: Float) -> tuple[NDArray[np.float64], float]:
    """Centre ``(2,)`` and size (root of the area, at least a pixel) of a box."""
    low, high = box[:2].astype(np.float64), box[2:].astype(np.float64)
    return (low + high) / 2, max(float(np.sqrt(np.prod(np.maximum(high - low, 0)))), 1.0)
