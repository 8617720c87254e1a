"""Faces that never move: photographs, as opposed to people who hold still.

The grey face at a fixed place of the frame, averaged down to 24 x 24 pixels, varies over time by a
share of its contrast. Measured at 10 frames a second: at least 0.13 for everyone in the sample,
talking and CREMA-D clips, at least 0.08 for the same re-encoded at 144 lines and H.264 quality 44,
at most 0.05 for photographs of them re-encoded by H.264, MPEG-4, MJPEG and VP8, also with noise,
and 0.02 to 0.16 for photographs of less than 50 pixels in coarse quality. Photographs that are
zoomed, shaken or turned vary like people (0.2 to 1.6), even after an affine registration (0.04 to
0.11 against 0.05 to 0.4), and are not found.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from avtca.faces.types import Float, FrameLike, TrackedFace
from avtca.image import SMALL_SIDE, clip_box, grey

MAX_STILL = 0.06
"""Faces that vary by less, as a share of their contrast, never move; see above."""
MIN_SEEN_S = 1.0
"""Seconds in view before a face is judged."""
MAX_GAP_S = 5.0
"""A person out of view for longer is judged: numbers do not come back."""
MOVED = 0.5
"""A face that is this far from its place, in face sizes, is measured at its new place."""
_PX = 24


@dataclass
class _Place:
    """A person's face at a fixed place of the frame."""

    box: Float
    first_s: float
    last_s: float
    n: int = 0
    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros((_PX, _PX)))
    squares: NDArray[np.float64] = field(default_factory=lambda: np.zeros((_PX, _PX)))

    def never_moves(self) -> bool:
        mean = self.total / self.n
        variance = np.maximum(self.squares / self.n - mean**2, 0).mean()
        seen = self.last_s - self.first_s >= MIN_SEEN_S - 1e-9
        return seen and bool(np.sqrt(variance) < MAX_STILL * max(float(mean.std()), 1.0))


class StillFaces:
    """Finds the people of a stream of frames whose faces never move."""

    def __init__(self) -> None:
        self._places: dict[int, _Place] = {}
        self._still: set[int] = set()

    def add(self, frame: FrameLike, faces: Iterable[TrackedFace]) -> None:
        """Add the faces of the next frame; a frame that is repeated counts once."""
        now = frame.time_s + frame.held_s
        for face in faces:
            place = self._places.setdefault(face.person, _Place(face.box, now, now))
            place.last_s = now
            if frame.held_s:
                continue
            size = np.sqrt(max(face.area, 1.0))
            if np.abs(face.box - place.box).max() > MOVED * size:
                place.box = face.box
            patch = _patch(frame, place.box)
            place.n, place.total = place.n + 1, place.total + patch
            place.squares = place.squares + patch**2
        for person in [p for p, place in self._places.items() if now - place.last_s > MAX_GAP_S]:
            self._judge(person)

    def people(self) -> set[int]:
        """Numbers of the people whose faces never moved, once all frames were added."""
        for person in list(self._places):
            self._judge(person)
        return self._still

    def is_still(self, person: int) -> bool:
        """Whether a person's face has not moved up to now."""
        return person in self._places and self._places[person].never_moves()

    def _judge(self, person: int) -> None:
        if self._places.pop(person).never_moves():
            self._still.add(person)


def _patch(frame: FrameLike, box: Float) -> NDArray[np.float64]:
    """The face at a box of the reduced frame in grey, ``(px, px)``, with mean 0."""
    rgb = frame.image.reduced(SMALL_SIDE)
    height, width = rgb.shape[:2]
    scale = width / frame.image.width, height / frame.image.height
    x0, y0, x1, y1 = clip_box([*(box[:2] * scale), *(box[2:] * scale)], width, height)
    seen = PillowImage.fromarray(grey(rgb[y0:y1, x0:x1]))
    face = seen.resize((_PX, _PX), PillowImage.Resampling.BOX)
    out: NDArray[np.float64] = np.asarray(face, np.float64)
    out = out - out.mean()
    return out
