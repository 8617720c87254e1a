"""From frames to tracked face crops, and the choice of the main face."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Generic

import numpy as np

from avtca.faces.align import align_image
from avtca.faces.detect_faces import DetectedFrame, FaceStream
from avtca.faces.detectors import Detector
from avtca.faces.reappearance import KnownPeople
from avtca.faces.tracker import Tracker
from avtca.faces.types import Colour, FrameT, TrackedCrop, TrackedFace, UInt8


class FaceTrack(Generic[FrameT]):
    """Detects, tracks and crops the faces of one clip; frames are pushed.

    Args:
        detector: Face detector.
        crop_px: Side of the square crops in pixels.
        colour: "rgb" or "grey" crops.
    """

    def __init__(self, detector: Detector, crop_px: int, colour: Colour = "rgb") -> None:
        self._faces: FaceStream[FrameT] = FaceStream(detector)
        self._crop_px, self._colour = crop_px, colour
        self._tracker = Tracker()
        self._known = KnownPeople()
        self._crops: list[TrackedCrop] = []
        self._last: FrameT | None = None

    def add(self, frame: FrameT) -> Iterator[tuple[FrameT, list[TrackedCrop]]]:
        """Add the next frame; gives the frames whose faces are now known."""
        return map(self._track, self._faces.add(frame))

    def finish(self) -> Iterator[tuple[FrameT, list[TrackedCrop]]]:
        """The frames whose faces were not known yet."""
        return map(self._track, self._faces.finish())

    def _track(self, found: DetectedFrame[FrameT]) -> tuple[FrameT, list[TrackedCrop]]:
        frame, last = found.frame, self._last
        if frame.held_s and last is not None and frame.image is last.image:
            self._tracker.hold(frame.time_s + frame.held_s)
            self._crops = [replace(crop, step=frame.step) for crop in self._crops]
        else:
            tracked = self._tracker.update(frame, found.faces, new_shot=found.new_shot)
            self._crops = [
                TrackedCrop(**vars(face), crop=self._crop(frame, face))
                for face in self._known.numbered(frame, tracked)
            ]
        self._last = frame
        return frame, self._crops

    def _crop(self, frame: FrameT, face: TrackedFace) -> UInt8:
        return align_image(frame.image, face.landmarks, self._crop_px, self._colour)


def track_faces(
    frames: Iterable[FrameT], detector: Detector, crop_px: int, colour: Colour = "rgb"
) -> Iterator[tuple[FrameT, list[TrackedCrop]]]:
    """Detect, track and crop the faces of one clip as a stream; few frames are kept.

    Args:
        frames: Frames of one clip, steps ascending.
        detector: Face detector.
        crop_px: Side of the square crops in pixels.
        colour: "rgb" or "grey" crops.

    Yields:
        Each frame with its faces, in the order of their person numbers.
    """
    track: FaceTrack[FrameT] = FaceTrack(detector, crop_px, colour)
    for frame in frames:
        yield from track.add(frame)
    yield from track.finish()


def rank_people(areas: Mapping[int, Sequence[float]]) -> list[int]:
    """Person numbers, the largest steady face first.

    Args:
        areas: Area of the face box in each step with the face, by person.

    Returns:
        Person numbers by descending product of median area and number of steps; the smaller
        number first where two are equal.
    """
    weight = {person: float(np.median(each)) * len(each) for person, each in areas.items()}
    return sorted(weight, key=lambda person: (-weight[person], person))
