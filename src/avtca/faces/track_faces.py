"""From frames to tracked face crops, and the choice of the main face."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from avtca.faces.align import align_image
from avtca.faces.detect_faces import detect_faces
from avtca.faces.detectors import Detector
from avtca.faces.tracker import Tracker
from avtca.faces.types import Colour, FrameT, TrackedCrop


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
    tracker = Tracker()
    crops: list[TrackedCrop] = []
    last: FrameT | None = None
    for found in detect_faces(frames, detector):
        frame = found.frame
        if frame.held_s and last is not None and frame.image is last.image:
            tracker.hold(frame.time_s + frame.held_s)
            crops = [replace(crop, step=frame.step) for crop in crops]
        else:
            crops = [
                TrackedCrop(
                    **vars(face), crop=align_image(frame.image, face.landmarks, crop_px, colour)
                )
                for face in tracker.update(frame, found.faces, new_shot=found.new_shot)
            ]
        last = frame
        yield frame, crops


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
