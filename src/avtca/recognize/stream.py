"""Draws a clip's faces and audio window by window, in step, and keeps no more than a window."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.faces import Detector, Tracker, align
from avtca.faces.types import Colour, TrackedCrop, TrackedFace
from avtca.media import Frame, MediaFile, hold_frames
from avtca.recognize.prediction import Box
from avtca.recognize.report import Thumbnail

THUMBNAIL_PX = 96
"""Side of the faces that a report shows."""
MAX_THUMBNAILS = 18
"""Faces kept for a report; every second one is dropped when there are more."""
MAX_PERSON_THUMBNAILS = 60
"""People whose picture is kept at least, those seen longest; twice as many at most."""
LARGER = 1.3
"""A face that is larger than that of the thumbnail by this much, in area, is the better one."""


@dataclass(frozen=True)
class WindowMedia:
    """What a window of the file holds.

    ``faces`` are the tracked crops by person, steps ascending; ``wave`` float32 mono at the
    spec's sample rate, as far as the file goes (at most a window); ``n_steps`` video steps of the
    window that lie inside the file.
    """

    start_step: int
    n_steps: int
    faces: dict[int, list[TrackedCrop]]
    wave: NDArray[np.float32]


@dataclass
class Appearance:
    """When a person was seen: first and last step, and in how many; with a ``thumbnail``."""

    first: int
    last: int = 0
    steps: int = 0
    area: float = 0.0
    thumbnail: Thumbnail | None = None


class WindowStream:
    """Windows of a clip in order: the same that ``preprocess.window_start_steps`` names.

    ``window_steps`` video steps long and ``hop`` steps apart, the last one ending with the file.
    After the last, ``total_steps`` holds the length of the file, ``face_steps`` the steps with
    any face, and ``thumbnails`` a few faces spread over the file. With ``person_thumbnails``,
    ``appearances`` says of each person when it was seen, with a picture of the longest seen.
    """

    def __init__(
        self,
        clip: MediaFile,
        spec: ClipSpec,
        detector: Detector,
        *,
        crop_px: int,
        colour: Colour,
        window_steps: int,
        hop: int,
        person_thumbnails: bool = False,
    ) -> None:
        self.clip, self.spec, self.detector = clip, spec, detector
        self.crop_px, self.colour = crop_px, colour
        self.window_steps, self.hop = window_steps, hop
        self.total_steps = 0
        self.person_thumbnails = person_thumbnails
        self.appearances: dict[int, Appearance] = {}
        self.thumbnails: list[Thumbnail] = []
        self._thumb_every = 1
        self._tracker = Tracker()
        self._frames = hold_frames(clip.frames(spec.video_rate), spec.video_rate)
        self._blocks = clip.audio(spec.sample_rate) if clip.has_audio else iter(())
        self._next_frame = next(self._frames, None)
        self._faces: list[TrackedCrop] = []
        self._wave: NDArray[np.float32] = np.zeros(0, np.float32)
        self._wave_start = 0
        self._audio_done = not clip.has_audio
        self._video_steps = 0
        self._first_step = 0
        self._shown = 0

    @property
    def missing_steps(self) -> int:
        """Steps without a picture between the first and the last that have one."""
        return self._video_steps - self._first_step - self._shown

    def __iter__(self) -> Iterator[WindowMedia]:
        start, last = 0, -1
        while self._reaches_past(start + self.window_steps):
            yield self._window(start)
            last, start = start, start + self.hop
        final = max(0, self.total_steps - self.window_steps)
        if final != last and self.total_steps > 0:
            yield self._window(final)

    def _sample(self, step: int) -> int:
        return round(step / self.spec.video_rate * self.spec.sample_rate)

    def _reaches_past(self, end: int) -> bool:
        """Read up to ``end``; whether the file goes on after it."""
        while self._next_frame is not None and self._next_frame.step < end:
            self._add_frame(self._next_frame)
            self._next_frame = next(self._frames, None)
        while not self._audio_done and self._wave_start + len(self._wave) <= self._sample(end):
            block = next(self._blocks, None)
            if block is None:
                self._audio_done = True
            else:
                self._wave = np.concatenate((self._wave, block))
        heard = self._wave_start + len(self._wave)
        audio_steps = int(np.ceil(heard / self.spec.sample_rate * self.spec.video_rate - 1e-6))
        self.total_steps = max(self._video_steps, audio_steps)
        return self._next_frame is not None or heard > self._sample(end)

    def _add_frame(self, frame: Frame) -> None:
        self._first_step = frame.step if not self._shown else self._first_step
        self._video_steps, self._shown = frame.step + 1, self._shown + 1
        faces = self._tracker.update(frame, self.detector.detect(frame.rgb))
        for face in faces:
            crop = align(frame.rgb, face.landmarks, self.crop_px, self.colour)
            self._faces.append(TrackedCrop(**vars(face), crop=crop))
            if self.person_thumbnails:
                self._sighted(face, frame)
        if faces and frame.step % self._thumb_every == 0:
            largest = max(faces, key=lambda face: _area(face.box))
            self.thumbnails.append(_thumbnail(largest, frame))
            if len(self.thumbnails) > MAX_THUMBNAILS:
                self.thumbnails = self.thumbnails[::2]
                self._thumb_every *= 2

    def _sighted(self, face: TrackedFace, frame: Frame) -> None:
        seen = self.appearances.setdefault(face.person, Appearance(frame.step))
        seen.last, seen.steps = frame.step, seen.steps + 1
        if (area := _area(face.box)) > LARGER * seen.area:
            seen.area, seen.thumbnail = area, _thumbnail(face, frame)
            pictured = [one for one in self.appearances.values() if one.thumbnail is not None]
            if len(pictured) > 2 * MAX_PERSON_THUMBNAILS:
                for one in sorted(pictured, key=lambda one: one.steps)[:-MAX_PERSON_THUMBNAILS]:
                    one.thumbnail = None

    def _window(self, start: int) -> WindowMedia:
        self._faces = [face for face in self._faces if face.step >= start]
        drop = min(self._sample(start) - self._wave_start, len(self._wave))
        if drop > 0:
            self._wave, self._wave_start = self._wave[drop:], self._wave_start + drop
        end = start + self.window_steps
        by_person: dict[int, list[TrackedCrop]] = {}
        for face in self._faces:
            if face.step < end:
                by_person.setdefault(face.person, []).append(face)
        samples = min(self._sample(end) - self._sample(start), self.spec.window_samples)
        n_steps = min(self.window_steps, self.total_steps - start)
        return WindowMedia(start, n_steps, by_person, self._wave[:samples])


def _thumbnail(face: TrackedFace, frame: Frame) -> Thumbnail:
    picture = align(frame.rgb, face.landmarks, THUMBNAIL_PX, "rgb")
    return Thumbnail(frame.time_s, face.person, picture, as_box(face.box))


def as_box(edges: NDArray[np.float32]) -> Box:
    """``x0 y0 x1 y1`` as plain numbers."""
    x0, y0, x1, y1 = (float(edge) for edge in edges)
    return x0, y0, x1, y1


def _area(box: NDArray[np.float32]) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def steadiness(faces: list[TrackedCrop], n_steps: int) -> float:
    """How much a person is the one to read: median area times the share of steps seen."""
    return float(np.median([_area(face.box) for face in faces])) * len(faces) / max(1, n_steps)
