"""Persons who return, after a cut or out of sight, by how they look.

A new face is compared with the persons who are not in view: colours of hair and clothes around the
face, and the texture and brightness of the face itself. Both have to agree, so that neither two
people in the same clothes nor two who look alike are taken for one. The embedding of the packaged
face network is made for expressions: different people are as similar in it as two clips of one
person. docs/decisions.md has the figures; benchmarks/reappearance.py measures them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from avtca.faces.align import align_image
from avtca.faces.types import FrameLike, TrackedFace, UInt8

MIN_COLOUR, MIN_FACE = 0.65, 0.70
"""Least similarity of the colours and of the face to a person who returns. Of the frames of other
people none reached both; of pairs of different people in FER2013 one in 400 reaches the second."""
MARGIN = 0.05
"""By so much the best person must be more similar than the next one who qualifies."""
MIN_SAMPLES = 2
"""Samples of a person that a face is compared with."""
SAMPLED_AT = (1, 3, 6, 12, 25, 50)
"""Frames of a person that are sampled; later ones every :data:`SAMPLED_EVERY`."""
SAMPLED_EVERY = 100
MAX_SAMPLES = 8
"""Older samples than so many fade."""
MAX_PEOPLE = 64
"""People that are remembered, those seen last."""

Vector = NDArray[np.float32]

_ZOOM, _WIDE_PX, _FACE_PX = 2.4, 96, 64
"""The surroundings are this much wider than a crop; sides of both in pixels."""
_HAIR = np.s_[8:34, 28:68]
_CLOTHES = np.s_[72:96, 20:76]
_BINS = 8, 12, 12
_RANGES = (0.0, 1.0), (0.2, 0.8), (0.3, 0.7)
"""Bins of brightness, red against blue, and green against both; of square roots of the values."""
_NEIGHBOURS = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
_CELL = 16


class Look(NamedTuple):
    """How a face and its surroundings look: histograms of colours, of texture, and brightness."""

    hair: Vector
    clothes: Vector
    texture: Vector
    """Histograms of local binary patterns in cells, square roots (Ahonen et al. 2006)."""
    grey: Vector


@dataclass
class _Known:
    number: int
    look: Look | None = None
    samples: int = 0
    frames: int = 0
    seen: int = field(default=0)
    """Count of frames of the clip when last in view."""


class KnownPeople:
    """Numbers the people of a clip in the order in which they appear, those who return once.

    A face that is not surely of somebody known is somebody new.
    """

    def __init__(self) -> None:
        self._people: dict[int, _Known] = {}
        self._number: dict[int, int] = {}
        self._n_numbers = 0
        self._n_frames = 0

    def numbered(self, frame: FrameLike, faces: Sequence[TrackedFace]) -> list[TrackedFace]:
        """The faces of the next frame with the numbers of people in place of those of tracks.

        Args:
            frame: The frame.
            faces: Its faces, ``person`` the number of a track.
        """
        self._n_frames += 1
        # The newest track of a person has the number; an older one that is found again does not.
        newest_first = sorted(faces, key=lambda face: -face.person)
        numbers: dict[int, int] = {}
        for face in newest_first:
            number = self._number.get(face.person)
            if number is not None and number not in numbers.values():
                numbers[face.person] = number
        found = []
        for face in sorted(faces, key=lambda face: face.person):
            look = None
            if face.person not in numbers:
                look = look_of(frame, face) if self._people else None
                number = None if look is None else self._returned(look, set(numbers.values()))
                if number is None:
                    number, self._n_numbers = self._n_numbers, self._n_numbers + 1
                numbers[face.person] = self._number[face.person] = number
            found.append(replace(face, person=numbers[face.person]))
            self._remember(frame, face, numbers[face.person], look)
        return sorted(found, key=lambda face: face.person)

    def _returned(self, look: Look, in_view: set[int]) -> int | None:
        """The number of the person who looks so and is not in view."""
        alike: list[tuple[float, int]] = []
        for person in self._people.values():
            if person.look is None or person.samples < MIN_SAMPLES or person.number in in_view:
                continue
            colour, face = similarity(person.look, look)
            if colour >= MIN_COLOUR and face >= MIN_FACE:
                alike.append(((colour + face) / 2, person.number))
        alike.sort(reverse=True)
        if not alike or (len(alike) > 1 and alike[0][0] - alike[1][0] < MARGIN):
            return None
        return alike[0][1]

    def _remember(
        self, frame: FrameLike, face: TrackedFace, number: int, look: Look | None
    ) -> None:
        if number not in self._people and len(self._people) >= MAX_PEOPLE:
            del self._people[min(self._people.values(), key=lambda one: one.seen).number]
        person = self._people.setdefault(number, _Known(number))
        person.frames, person.seen = person.frames + 1, self._n_frames
        if person.frames not in SAMPLED_AT and person.frames % SAMPLED_EVERY:
            return
        look = look or look_of(frame, face)
        weight = min(person.samples, MAX_SAMPLES - 1)
        person.samples += 1
        if person.look is not None:
            pairs = zip(person.look, look, strict=True)
            look = Look(*[_faded(a, b, weight) for a, b in pairs])
        person.look = look


def look_of(frame: FrameLike, face: TrackedFace) -> Look:
    """How a face and its surroundings look in a frame."""
    middle = face.landmarks.mean(axis=0)
    wide = align_image(frame.image, middle + (face.landmarks - middle) * _ZOOM, _WIDE_PX, "rgb")
    grey = align_image(frame.image, face.landmarks, _FACE_PX, "grey")
    small = PillowImage.fromarray(grey).resize((48, 48), PillowImage.Resampling.BOX)
    values = np.asarray(small, np.float32).ravel()
    values = values - values.mean()
    return Look(
        _colours(wide[_HAIR]),
        _colours(wide[_CLOTHES]),
        _texture(grey),
        values / max(float(np.linalg.norm(values)), 1e-6),
    )


def similarity(one: Look, other: Look) -> tuple[float, float]:
    """Similarity of the colours and of the faces, each at most 1."""
    shared = [np.minimum(one.hair, other.hair), np.minimum(one.clothes, other.clothes)]
    pairs = (one.texture, other.texture), (one.grey, other.grey)
    cosines = [
        float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-6) for a, b in pairs
    ]
    return float(sum(part.sum() for part in shared)) / 2, sum(cosines) / 2


def _faded(before: Vector, now: Vector, weight: int) -> Vector:
    """A mean with one more sample."""
    mean: Vector = (weight * before + now) / np.float32(weight + 1)
    return mean


def _colours(rgb: UInt8) -> Vector:
    """Histogram of colours with sum 1."""
    root = np.sqrt(rgb.reshape(-1, 3).astype(np.float32) / 255)
    red, green, blue = root.T
    values = (red + green + blue) / 3, (red - blue + 1) / 2, (green - (red + blue) / 2 + 1) / 2
    at = np.zeros(len(root), np.int64)
    for value, n, (low, high) in zip(values, _BINS, _RANGES, strict=True):
        level = ((value - low) / (high - low) * n).astype(np.int64)
        at = at * n + np.clip(level, 0, n - 1)
    counts = np.bincount(at, minlength=int(np.prod(_BINS)))
    return (counts / len(root)).astype(np.float32)


def _texture(grey: UInt8) -> Vector:
    """Square roots of the histograms of local binary patterns, by cell."""
    values = grey.astype(np.int16)
    centre = values[1:-1, 1:-1]
    height, width = centre.shape
    code = np.zeros(centre.shape, np.int64)
    for bit, (dy, dx) in enumerate(_NEIGHBOURS):
        around = values[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        code |= (around >= centre).astype(np.int64) << bit
    n = -(-width // _CELL)
    rows, columns = np.indices(code.shape) // _CELL
    counts = np.bincount(((rows * n + columns) * 256 + code).ravel(), minlength=n * n * 256)
    cells = counts.reshape(n * n, 256)
    shares = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    texture: Vector = np.sqrt(shares).ravel().astype(np.float32)
    return texture
