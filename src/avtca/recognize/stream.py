"""Windows of a clip as a stream: tracked faces and audio, with no more than a window in memory."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.faces import Detector, TrackedCrop, TrackedFace, align_image, track_faces
from avtca.faces.motion import StillFaces
from avtca.faces.types import Colour
from avtca.faces.upright import UprightCheck, turn
from avtca.image import ArrayImage, Image
from avtca.media import Frame, Media, hold_frames
from avtca.media.clock import SHORT_HOLD_S
from avtca.preprocess import WindowExtractor, window_starts
from avtca.recognize.merge import MergedPeople
from avtca.recognize.observer import StreamObserver
from avtca.recognize.prediction import Box
from avtca.recognize.report import Thumbnail
from avtca.speaker import (
    FRAME_RATE,
    MOUTH_RATE,
    FaceRecorder,
    MfccSeries,
    MouthRecorder,
    SpeakerModel,
    Speech,
    SpeechLevels,
    find_speakers,
)
from avtca.speaker.mfcc import MFCC_RATE

THUMBNAIL_PX = 96
"""Side of the thumbnails in a report."""
MAX_THUMBNAILS = 18
"""Most thumbnails over time in a report; when there are more, every second one is dropped."""
WINDOW_THUMBNAILS, MAX_WINDOW_THUMBNAILS = 4, 600
"""Where the windows are given, as many thumbnails for each, and the most in all."""
MAX_PERSON_THUMBNAILS = 60
"""Number of people, those seen longest, who surely have a thumbnail; at most twice as many do."""
LARGER = 1.3
"""A face replaces the person's thumbnail if its area is larger by this factor."""


@dataclass(frozen=True)
class WindowMedia:
    """The media of one window.

    Attributes:
        start_step: First video step.
        n_steps: Video steps of the window that lie inside the clip.
        faces: Tracked crops by person, steps ascending.
        wave: float32 mono ``(n,)`` at the spec's sample rate, shorter than a window at the end.
    """

    start_step: int
    n_steps: int
    faces: dict[int, list[TrackedCrop]]
    wave: NDArray[np.float32]


@dataclass
class Appearance:
    """First and last step with a person, the number of steps, and a thumbnail."""

    first: int
    last: int = 0
    steps: int = 0
    area: float = 0.0
    thumbnail: Thumbnail | None = None


class WindowBuffer:
    """Faces and audio of the windows that are still to be cut.

    Args:
        spec: Video and sample rate.
        window_steps: Video steps of a window.
    """

    def __init__(self, spec: ClipSpec, window_steps: int) -> None:
        self.spec, self.window_steps = spec, window_steps
        self.sample_at = WindowExtractor(spec).first_sample
        self._faces: list[TrackedCrop] = []
        self._wave: NDArray[np.float32] = np.zeros(0, np.float32)
        self._wave_start = 0

    @property
    def samples(self) -> int:
        """Samples since the start of the clip."""
        return self._wave_start + len(self._wave)

    @property
    def audio_steps(self) -> float:
        """The same in video steps."""
        return self.samples / self.spec.sample_rate * self.spec.video_rate

    def add_faces(self, faces: list[TrackedCrop]) -> None:
        """Add the faces of the next frame."""
        self._faces += faces

    def add_audio(self, block: NDArray[np.float32]) -> None:
        """Add the next block, mono at the spec's sample rate."""
        self._wave = np.concatenate((self._wave, block))

    def skip_to(self, sample: int) -> None:
        """Drop the audio; what is added next begins at a sample."""
        self._wave, self._wave_start = self._wave[:0], sample

    def forget(self, before: int) -> None:
        """Drop what is before a step."""
        self._faces = [face for face in self._faces if face.step >= before]
        drop = min(self.sample_at(before) - self._wave_start, len(self._wave))
        if drop > 0:
            self._wave, self._wave_start = self._wave[drop:], self._wave_start + drop

    def window(self, start: int, total_steps: int) -> WindowMedia:
        """Cut a window, and drop what is before it.

        Args:
            start: First video step.
            total_steps: Step at which the clip ends, or the window at the latest.
        """
        self.forget(start)
        end = min(start + self.window_steps, total_steps)
        by_person: dict[int, list[TrackedCrop]] = {}
        for face in self._faces:
            if face.step < end:
                by_person.setdefault(face.person, []).append(face)
        samples = min(self.sample_at(end) - self.sample_at(start), self.spec.window_samples)
        return WindowMedia(start, end - start, by_person, self._wave[:samples])


class WindowStream:
    """Iterates over the windows of a clip, as ``preprocess.window_start_steps`` places them.

    After the last window ``total_steps`` is the length of the clip, ``thumbnails`` has a few faces
    spread over the clip, ``n_faces`` counts the frames by their number of faces, ``still_people``
    has the people whose faces never move, and ``appearances`` has an entry for each person.
    ``mouths`` and ``levels`` have the data from which turns are decided.

    Args:
        clip: The clip.
        spec: Video and sample rate.
        detector: Face detector.
        crop_px: Side of the face crops in pixels.
        colour: Colour of the face crops.
        window_steps: Video steps of a window.
        hop: Video steps from one window to the next.
        people: Whether to record ``appearances``.
        quarter_turns: Quarter turns counterclockwise by which the frames are turned.
        observer: Receives frames and audio as they are read.
        merged: Persons of different shots who are one.
        windows: First step of each window and the step after its last one, ascending, in place of
            those of ``window_steps`` and ``hop``.
        speaker_model: In place of the packaged score of mouths.
    """

    def __init__(
        self,
        clip: Media,
        spec: ClipSpec,
        detector: Detector,
        *,
        crop_px: int,
        colour: Colour,
        window_steps: int,
        hop: int,
        people: bool = False,
        quarter_turns: int = 0,
        observer: StreamObserver | None = None,
        merged: MergedPeople | None = None,
        windows: Sequence[tuple[int, int]] = (),
        speaker_model: SpeakerModel | None = None,
    ) -> None:
        self.spec, self.people, self.quarter_turns = spec, people, quarter_turns
        self._observer = observer
        if observer is not None:
            observer.started(quarter_turns)
        self._buffer = WindowBuffer(spec, window_steps)
        self.window_steps, self.hop, self._windows = window_steps, hop, windows
        self.total_steps = 0
        self.appearances: dict[int, Appearance] = {}
        self.thumbnails: list[Thumbnail] = []
        self.n_faces: Counter[int] = Counter()
        self._still = StillFaces()
        self._thumb_every = 1
        wanted = min(WINDOW_THUMBNAILS * len(windows), MAX_WINDOW_THUMBNAILS)
        self._max_thumbnails = max(MAX_THUMBNAILS, wanted)
        self._upright = UprightCheck(detector)
        self.mouths: MouthRecorder | FaceRecorder = MouthRecorder()
        self.levels: SpeechLevels | MfccSeries = SpeechLevels(spec.sample_rate)
        dense_rate = FRAME_RATE
        if speaker_model is not None:
            self.mouths, self.levels = FaceRecorder(speaker_model), MfccSeries()
            dense_rate = MOUTH_RATE
        frames = clip.frames(spec.video_rate, dense_rate if clip.has_audio else 0)
        frames = self._turned(frames)
        frames = hold_frames(frames, spec.video_rate)
        tracked = track_faces(frames, detector, crop_px, colour)
        self._frames = tracked if merged is None else merged.of(tracked)
        self._blocks = clip.audio(spec.sample_rate)
        self._next = next(self._frames, None)
        self._audio_done = not clip.has_audio
        self._has_both = clip.has_audio and clip.has_video
        self._video_steps = 0
        self._first_step = 0
        self._n_frames = 0
        self._n_held = 0

    def speech(self, voiced: NDArray[np.bool_]) -> Speech:
        """Who speaks when, for a clip that was read to its end.

        Args:
            voiced: Voice activity of the clip, 100 ticks a second.
        """
        values, odds = self.levels.values(), None
        level = np.asarray(values, np.float64)
        if isinstance(self.mouths, FaceRecorder):
            odds = self.mouths.log_odds(np.asarray(values, np.float32))
            level = np.zeros(len(values) * MOUTH_RATE // MFCC_RATE)
        return find_speakers(
            self.mouths.series,
            level,
            voiced,
            still=self.still_people,
            odds=odds,
        )

    def upright_turns(self) -> int:
        """Quarter turns counterclockwise that make the faces upright, once all were read."""
        return self._upright.quarter_turns()

    @cached_property
    def still_people(self) -> set[int]:
        """Numbers of the people whose faces never move; for a clip that was read to its end."""
        return self._still.people()

    @property
    def ends_s(self) -> tuple[float, float] | None:
        """Seconds at which video and audio end, for a clip with both, read to its end."""
        if not self._has_both:
            return None
        return (
            self._video_steps / self.spec.video_rate,
            self._buffer.samples / self.spec.sample_rate,
        )

    @property
    def missing_steps(self) -> int:
        """Steps without a frame of their own or of just before, after the first that has one."""
        return self.frameless_steps + self._n_held

    @property
    def frameless_steps(self) -> int:
        """Steps between the first and the last frame in which no frame is shown any more."""
        return self._video_steps - self._first_step - self._n_frames

    @property
    def held_share(self) -> float:
        """Share of the steps with a frame that is repeated for longer than SHORT_HOLD_S."""
        return self._n_held / max(1, self._n_frames)

    def __iter__(self) -> Iterator[WindowMedia]:
        if self._windows:
            yield from self._given_windows()
            return
        starts = window_starts(
            self.window_steps, self.hop, self._continues_after, lambda: self.total_steps
        )
        for start in starts:
            if self.total_steps or self._next is not None:
                yield self._buffer.window(start, self.total_steps)

    def _given_windows(self) -> Iterator[WindowMedia]:
        at = 0
        for start, end in self._windows:
            while at < end:
                at = min(end, at + self.window_steps)
                self._continues_after(at)
                self._buffer.forget(min(start, at))
            if start < min(end, self.total_steps):
                yield self._buffer.window(start, min(end, self.total_steps))
        while self._continues_after(self.total_steps + self.window_steps):
            self._buffer.forget(self.total_steps)

    def _continues_after(self, end: int) -> bool:
        """Decode up to the step ``end``; whether the clip continues after it."""
        while self._next is not None and self._next[0].step < end:
            self._add(*self._next)
            self._next = next(self._frames, None)
        buffer, end_sample = self._buffer, self._buffer.sample_at(end)
        while not self._audio_done and buffer.samples <= end_sample:
            block = next(self._blocks, None)
            if block is None:
                self._audio_done = True
            else:
                buffer.add_audio(block)
                self.levels.add(block)
                if self._observer is not None:
                    self._observer.audio(block)
        audio_steps = int(np.ceil(buffer.audio_steps - 1e-6))
        reached = 0 if self._next is None else end  # the next frame is after the end
        self.total_steps = max(self._video_steps, audio_steps, reached)
        return self._next is not None or buffer.samples > end_sample

    def _add(self, frame: Frame, faces: list[TrackedCrop]) -> None:
        self._first_step = frame.step if not self._n_frames else self._first_step
        self._video_steps, self._n_frames = frame.step + 1, self._n_frames + 1
        self._n_held += frame.held_s > SHORT_HOLD_S + 1e-9
        self._buffer.add_faces(faces)
        self.n_faces[len(faces)] += 1
        if self._observer is not None:
            self._observer.frame(frame, faces)
        self._still.add(frame, faces)
        self.mouths.add(frame.dense, faces)
        if not self.quarter_turns:
            self._upright.add(frame, faces)
        if self.people:
            for face in faces:
                self._record_appearance(face, frame)
        if faces and frame.step % self._thumb_every == 0:
            self.thumbnails.append(_thumbnail(max(faces, key=lambda face: face.area), frame))
            if len(self.thumbnails) > self._max_thumbnails:
                self.thumbnails = self.thumbnails[::2]
                self._thumb_every *= 2

    def _turned(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        if not self.quarter_turns:
            return frames
        quarters = self.quarter_turns

        def turned(image: Image) -> Image:
            return ArrayImage(turn(image.rgb, quarters))

        return (
            replace(
                frame,
                image=turned(frame.image),
                dense=tuple(replace(one, image=turned(one.image)) for one in frame.dense),
            )
            for frame in frames
        )

    def _record_appearance(self, face: TrackedFace, frame: Frame) -> None:
        person = self.appearances.setdefault(face.person, Appearance(frame.step))
        person.last, person.steps = frame.step, person.steps + 1
        if face.area > LARGER * person.area:
            person.area, person.thumbnail = face.area, _thumbnail(face, frame)
            shown = [one for one in self.appearances.values() if one.thumbnail is not None]
            if len(shown) > 2 * MAX_PERSON_THUMBNAILS:
                for one in sorted(shown, key=lambda one: one.steps)[:-MAX_PERSON_THUMBNAILS]:
                    one.thumbnail = None


def _thumbnail(face: TrackedFace, frame: Frame) -> Thumbnail:
    image = align_image(frame.image, face.landmarks, THUMBNAIL_PX, "rgb")
    return Thumbnail(frame.time_s, face.person, image, as_box(face.box))


def as_box(edges: NDArray[np.float32]) -> Box:
    """``x0 y0 x1 y1`` as plain numbers."""
    x0, y0, x1, y1 = (float(edge) for edge in edges)
    return x0, y0, x1, y1
