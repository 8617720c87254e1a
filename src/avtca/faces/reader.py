"""From frames to persons: detector, tracker and crops in one pass."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from avtca.faces.align import align
from avtca.faces.detectors import Detector
from avtca.faces.tracker import Tracker
from avtca.faces.types import Colour, FaceTrack, Picture, TrackedCrop

MIN_STEPS = 3
"""A person seen in fewer steps is taken for a mistake of the detector, in a clip of more."""


class FaceReader:
    """Reads the faces of clips as crops of ``px`` pixels, "rgb" or "grey"."""

    def __init__(self, detector: Detector, px: int, colour: Colour = "rgb") -> None:
        self.detector, self.px, self.colour = detector, px, colour

    def read(self, frames: Iterable[Picture]) -> Iterator[list[TrackedCrop]]:
        """The faces of each frame of one clip, as the frames come; nothing is kept.

        A list for every frame, empty where there is no face, else in the order of the persons'
        numbers. A person's first step is given at once, so that one who is never seen again may
        be a mistake of the detector.
        """
        tracker = Tracker()
        for frame in frames:
            faces = tracker.update(frame, self.detector.detect(frame.rgb))
            yield [
                TrackedCrop(
                    **vars(face), crop=align(frame.rgb, face.landmarks, self.px, self.colour)
                )
                for face in faces
            ]

    def tracks(self, frames: Iterable[Picture], *, min_steps: int = MIN_STEPS) -> list[FaceTrack]:
        """The persons of one clip, short enough to keep, in the order of their numbers.

        Who is seen in fewer than ``min_steps`` steps is left out; in a clip with fewer frames, who
        is not seen in all.
        """
        steps = list(self.read(frames))
        faces = [face for step in steps for face in step]
        seen = Counter(face.person for face in faces)
        least = min(min_steps, len(steps))
        return [
            _track([face for face in faces if face.person == person])
            for person in sorted(seen)
            if seen[person] >= least
        ]


def choose(tracks: Sequence[FaceTrack]) -> FaceTrack | None:
    """The largest steady face: most median area of the box times steps seen; None of none.

    With the clip's steps as the common measure, that is median area times the share of the clip in
    which the person is seen.
    """
    return max(tracks, key=_weight, default=None)


def _weight(track: FaceTrack) -> float:
    area = np.prod(track.boxes[:, 2:] - track.boxes[:, :2], axis=1)
    return float(np.median(area)) * len(track)


def _track(faces: Sequence[TrackedCrop]) -> FaceTrack:
    return FaceTrack(
        person=faces[0].person,
        steps=np.array([face.step for face in faces], np.int64),
        times_s=np.array([face.time_s for face in faces], np.float64),
        boxes=np.stack([face.box for face in faces]),
        confidence=np.array([face.confidence for face in faces], np.float32),
        crops=np.stack([face.crop for face in faces]),
    )
