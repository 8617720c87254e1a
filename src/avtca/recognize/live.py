"""Results while a recording is still going on."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from heapq import merge
from itertools import filterfalse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.errors import ConfigError, MediaError
from avtca.faces import Detector
from avtca.faces.motion import StillFaces
from avtca.faces.track_faces import FaceTrack
from avtca.faces.types import Colour
from avtca.image import ArrayImage
from avtca.media import Frame
from avtca.media.audio import Resampler
from avtca.media.clock import HALF_MS, FrameHold, NearestFrames
from avtca.recognize.checks import beside_voice, shares_audio
from avtca.recognize.live_speech import LiveSpeech
from avtca.recognize.prediction import (
    BRIEF_FACE,
    DIGITS,
    MIN_FACE_S,
    SHARED_AUDIO,
    SHORT_WINDOW,
    STILL_FACE,
    Box,
    TimelineRow,
    reaches,
    rounded_box,
)
from avtca.recognize.scorer import PersonMode, WindowScorer
from avtca.recognize.stream import WindowBuffer, WindowMedia, as_box
from avtca.runtime.backends import Backend
from avtca.speaker import Speech

EVERY_S = 0.5
"""Seconds from one result to the next."""
MIN_EVERY_S, MAX_EVERY_S = 0.1, 10.0
FIRST_S = 1.0
"""Seconds of media before the first result, whose window is shorter than the others."""
MAX_JITTER_S = 0.1
"""Tolerance of the times of audio before a gap is filled or an overlap is cut."""
STALL_S = 0.5
"""Results wait for a stream that is behind the other by at most this time in seconds."""
BEHIND_S = 1.0
"""By so much later comes a result while newer media wait."""
KEPT_S = 5.0
"""Seconds of audio kept before the window, for video that comes late."""

Audio = NDArray[np.float32] | NDArray[np.int16]


@dataclass(frozen=True)
class LiveRow(TimelineRow):
    """The result for one person in one window, and whether it can be trusted.

    Attributes:
        threshold: Confidence threshold for this input; ``None`` where it was not measured.
        doubts: Reasons of :data:`~avtca.recognize.prediction.DOUBTS` never to be confident.
        last_box: The newest face box in the window.
    """

    threshold: float | None = None
    doubts: tuple[str, ...] = ()
    last_box: Box | None = None

    @property
    def confident(self) -> bool | None:
        """As :attr:`~avtca.recognize.prediction.Prediction.confident`, of this window alone."""
        if self.doubts or not self.scores:
            return False
        return reaches(max(self.scores.values()), self.threshold)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values."""
        threshold = None if self.threshold is None else round(self.threshold, DIGITS)
        fields = {"sure": self.confident, "sure_from": threshold}
        more = {"doubts": list(self.doubts), "last_box": rounded_box(self.last_box)}
        return {**super().to_dict(), **fields, **more}


@dataclass(frozen=True)
class LiveResult:
    """The result of one window.

    Attributes:
        start_s: Start of the window in seconds.
        end_s: End of the window in seconds.
        people: A row for each person, the largest steady face first; one row without a person
            where there is no face, or after the faces for a speaker who is not in view.
        frame_s: Time of the newest frame of the window, ``None`` without video.
        delay_s: Seconds from the arrival of that frame to this result; without video, from the
            arrival of the newest audio.
        final: Whether the recording ends with this window.
    """

    start_s: float
    end_s: float
    people: tuple[LiveRow, ...]
    frame_s: float | None
    delay_s: float
    final: bool = False


@dataclass(frozen=True)
class _End:
    """Where a window may end: step, time of the newest frame before it, and its arrival."""

    step: int
    frame_s: float | None
    arrived_s: float


class LiveSession:
    """Recognises a recording that is still going on; media are pushed.

    A window ends with a frame in which faces were searched, about five a second, because faces of
    the frames between are known only with the next of those. It waits until the audio has come
    up to that frame. Its rows thus equal those that ``Recognizer.predict`` gives for the same
    window of the whole recording, except that frames are never turned, and that who speaks is
    found from what came before, with several faces in view.

    Not for use by several threads at once.

    Attributes:
        every_s: Seconds from one result to the next; may be set.
        person: As the argument; may be set.
        frame_s: Time of the newest frame in seconds, minus infinity before the first.
        behind: Set by the caller while newer media wait, on a machine that is too slow: results
            are put off, by at most :data:`BEHIND_S`, until it has caught up.

    Args:
        backend: The network.
        detector: The face detector.
        window_steps: Video steps of a window.
        every_s: Seconds from one result to the next, about.
        person: "main" for a row of the largest steady face, "all" for one of each person.
        sample_rate: Hz of the audio.

    Raises:
        ConfigError: The time between results is out of bounds.
    """

    def __init__(
        self,
        backend: Backend,
        detector: Detector,
        *,
        window_steps: int,
        every_s: float = EVERY_S,
        person: PersonMode = "main",
        sample_rate: int = 16_000,
    ) -> None:
        if not MIN_EVERY_S <= every_s <= MAX_EVERY_S:
            fix = f"choose {MIN_EVERY_S:g} to {MAX_EVERY_S:g} s"
            raise ConfigError(f"give a result every {every_s:g} s", "it is out of bounds", fix)
        self.backend, self.sample_rate = backend, sample_rate
        self.every_s, self.person = every_s, person
        self.frame_s, self.behind = -np.inf, False
        self._rate = backend.spec.video_rate
        self._scorer = WindowScorer(backend, person=person)
        self._buffer = WindowBuffer(backend.spec, window_steps)
        self._nearest: NearestFrames[tuple[NDArray[np.uint8], float]] = NearestFrames(self._rate)
        self._hold = FrameHold(self._rate)
        colour: Colour = "grey" if backend.colour == "grey" else "rgb"
        self._track: FaceTrack[Frame] = FaceTrack(detector, backend.crop_px, colour)
        self._still = StillFaces()
        self._speech = LiveSpeech(backend.spec.sample_rate)
        self._resampler = Resampler(sample_rate, backend.spec.sample_rate)
        self._kept_s = window_steps / self._rate + KEPT_S
        self._n_samples = 0
        self._arrivals: dict[int, float] = {}
        self._audio_arrived_s = 0.0
        self._video = _End(0, None, 0.0)
        self._target: _End | None = None
        self._due_s = max(FIRST_S, every_s)
        self._last_step = 0

    @property
    def audio_s(self) -> float:
        """Seconds of audio."""
        return self._n_samples / self.sample_rate

    def needs(self, time_s: float) -> bool:
        """Whether a frame of this time can change a result; if not, it need not be decoded."""
        if time_s < 0 or time_s <= self.frame_s:
            return False
        return self._speech.needs(time_s) or not self._nearest.is_given(time_s, HALF_MS)

    def add_frame(
        self, time_s: float, rgb: NDArray[np.uint8], *, arrived_s: float | None = None
    ) -> list[LiveResult]:
        """Add a frame.

        Args:
            time_s: Its time in seconds; frames that do not come after the one before, or before
                time zero, are ignored.
            rgb: uint8 ``(h, w, 3)``, upright.
            arrived_s: When it arrived, by ``time.monotonic``; now by default.

        Returns:
            The results that are now known, at most one.

        Raises:
            MediaError: It is no such array. The session can go on.
        """
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
            problem = f"it is {rgb.dtype} of the shape {rgb.shape}"
            raise MediaError("read a frame", problem, "give uint8 RGB (h, w, 3)")
        if not math.isfinite(time_s):
            raise MediaError("read a frame", f"its time is {time_s} s", "give seconds")
        if time_s < 0 or time_s <= self.frame_s:
            return []
        self.frame_s = time_s
        arrived_s = time.monotonic() if arrived_s is None else arrived_s
        given = np.ascontiguousarray(rgb), arrived_s
        self._speech.add_frame(self.frame_s, given[0])
        self._show(self._nearest.add(time_s, HALF_MS, given))
        self._show(self._nearest.settled())
        return self._results()

    def add_audio(
        self, wave: Audio, *, time_s: float | None = None, arrived_s: float | None = None
    ) -> list[LiveResult]:
        """Add audio.

        Args:
            wave: Mono, floating point -1..1 or int16 ``(n,)``.
            time_s: Time of its first sample in seconds; by default it follows the audio before.
                Gaps are filled with zeros and overlaps cut, beyond a tenth of a second.
            arrived_s: When it arrived, by ``time.monotonic``; now by default.

        Returns:
            The results that are now known, at most one.

        Raises:
            MediaError: It is no such array, or has values that are not finite. The session can
                go on.
        """
        block = _mono(wave)
        if time_s is not None and not math.isfinite(time_s):
            raise MediaError("read audio", f"its time is {time_s} s", "give seconds")
        self._audio_arrived_s = time.monotonic() if arrived_s is None else arrived_s
        gap_s = 0.0 if time_s is None else time_s - self.audio_s
        if abs(gap_s) > MAX_JITTER_S or not self._n_samples:
            gap = round(gap_s * self.sample_rate)
            block = block[max(0, -gap) :]
            if gap > (kept := int(self._kept_s * self.sample_rate)):
                self._skip(gap - kept)
                gap = kept
            self._hear(np.zeros(max(0, gap), np.float32))
        self._hear(block)
        return self._results()

    def finish(self) -> list[LiveResult]:
        """The recording has ended: the result of the window that ends with it, if there is one."""
        self._show(self._nearest.finish())
        for frame in self._hold.finish():
            self._place(self._track.add(frame))
        self._place(self._track.finish())
        for out in self._resampler(np.zeros(0, np.float32), last=True):
            self._buffer.add_audio(out)
        total = max(self._video.step, int(np.ceil(self._buffer.audio_steps - 1e-6)))
        if total <= self._last_step:
            return []
        newest = max(self._video.arrived_s, self._audio_arrived_s)
        return [self._result(_End(total, self._video.frame_s, newest), final=True)]

    def _show(self, shown: Iterable[tuple[int, float, tuple[NDArray[np.uint8], float]]]) -> None:
        """Take the frames of steps."""
        for step, time_s, (rgb, arrived_s) in shown:
            self._arrivals[step] = arrived_s
            for frame in self._hold.add(Frame(step, time_s, ArrayImage(rgb))):
                self._place(self._track.add(frame))

    def _place(self, found: Iterable[tuple[Frame, list[Any]]]) -> None:
        """Keep faces, and note where a window may end: after the frames whose faces are known."""
        for frame, faces in found:
            self._buffer.add_faces(faces)
            self._still.add(frame, faces)
            self._speech.add_faces(frame.time_s, faces)
            arrived_s = self._arrivals.get(frame.step, self._video.arrived_s)
            self._video = _End(frame.step + 1, frame.time_s, arrived_s)
        self._arrivals = {k: s for k, s in self._arrivals.items() if k >= self._video.step}

    def _skip(self, n: int) -> None:
        """Leave out so many zeros: none of them will be in a window."""
        self._n_samples += n
        self._resampler = Resampler(self.sample_rate, self.backend.spec.sample_rate)
        sample = round(self.audio_s * self.backend.spec.sample_rate)
        self._buffer.skip_to(sample)
        self._speech.skip_to(sample)

    def _hear(self, block: NDArray[np.float32]) -> None:
        self._n_samples += len(block)
        for out in self._resampler(block):
            self._buffer.add_audio(out)
            self._speech.add_audio(out)
        newest = max(self._buffer.audio_steps, self._video.step)
        self._buffer.forget(max(0, int(newest - self._kept_s * self._rate)))

    def _results(self) -> list[LiveResult]:
        """The result that is due, if its media are there."""
        due = self._due_s * self._rate
        if self.behind:
            self._target, due = None, due + BEHIND_S * self._rate
        if self._target is None and self._video.step >= due - 1e-6:
            self._target = self._video
        heard_s = self._buffer.audio_steps / self._rate
        if self._target is not None:
            waits = heard_s >= self.frame_s - STALL_S and self._n_samples > 0
            if waits and self._buffer.audio_steps < self._target.step - 1e-6:
                return []
            return [self._result(self._target)]
        step = int(self._buffer.audio_steps + 1e-6)
        if self.frame_s >= heard_s - STALL_S or step < due - 1e-6:
            return []
        return [self._result(_End(step, self._video.frame_s, self._audio_arrived_s))]

    def _result(self, end: _End, *, final: bool = False) -> LiveResult:
        """Score the window with this end."""
        start = max(0, end.step - self._buffer.window_steps)
        is_short = end.step < self._buffer.window_steps and not final
        window = self._buffer.window(start, end.step)
        self._scorer.person = self.person
        rows = self._scorer.score(window, partial(self._find_speech, window))
        self._target, self._last_step = None, end.step
        start_s, end_s = start / self._rate, end.step / self._rate
        is_late = end_s - self._due_s >= self.every_s
        self._due_s = (end_s if is_late else self._due_s) + self.every_s
        return LiveResult(
            start_s=start_s,
            end_s=end_s,
            people=tuple(self._row(row, window, is_short=is_short) for row in rows),
            frame_s=end.frame_s if end.frame_s is not None and end.frame_s >= start_s else None,
            delay_s=max(0.0, time.monotonic() - end.arrived_s),
            final=final,
        )

    def _find_speech(
        self, window: WindowMedia, voiced: NDArray[np.bool_], end_tick: int
    ) -> Speech | None:
        """Who speaks, if there are several people in the window."""
        speech = self._speech.find(
            voiced, end_tick, list(filter(self._still.is_still, window.faces))
        )
        return speech if len(window.faces) > 1 and self._n_samples else None

    def _row(self, row: TimelineRow, window: WindowMedia, *, is_short: bool) -> LiveRow:
        seen_s = row.face * (row.end_s - row.start_s)
        row = replace(row, others=tuple(filterfalse(self._still.is_still, row.others)))
        doubts = {
            SHORT_WINDOW: is_short,
            STILL_FACE: beside_voice(row) and self._still.is_still(row.person),
            BRIEF_FACE: 0 < row.face < 1 and seen_s < MIN_FACE_S - 0.5 / self._rate,
            SHARED_AUDIO: shares_audio([row]),
        }
        used = "both" if len(row.modalities) > 1 else next(iter(row.modalities), "")
        return LiveRow(
            **vars(row),
            threshold=self.backend.thresholds.get(used),
            doubts=tuple(reason for reason, found in doubts.items() if found),
            last_box=None if row.box is None else as_box(window.faces[row.person][-1].box),
        )


def live_results(
    session: LiveSession,
    frames: Iterable[tuple[float, NDArray[np.uint8]]],
    audio: Iterable[Audio],
) -> Iterator[LiveResult]:
    """Results of two streams, which are read in the order of their times.

    Args:
        session: A new session.
        frames: Times in seconds and frames.
        audio: Contiguous blocks from time zero on.
    """
    size = max(1, session.sample_rate // 10)
    blocks = (block[k : k + size] for block in audio for k in range(0, len(block), size))
    heard = ((session.audio_s, partial(session.add_audio, block)) for block in blocks)
    seen = ((time_s, partial(session.add_frame, time_s, rgb)) for time_s, rgb in frames)
    for _, add in merge(heard, seen, key=lambda one: one[0]):
        yield from add()
    yield from session.finish()


def _mono(wave: Audio) -> NDArray[np.float32]:
    problem = ""
    if wave.ndim != 1 or (wave.dtype.kind != "f" and wave.dtype != np.int16):
        problem = f"it is {wave.dtype} of the shape {wave.shape}"
    elif wave.dtype.kind == "f" and not np.isfinite(wave).all():
        problem = "it has values that are not finite"
    if problem:
        raise MediaError("read audio", problem, "give a mono waveform (n,), float -1..1 or int16")
    scale = 2**15 if wave.dtype == np.int16 else 1
    return wave.astype(np.float32) / np.float32(scale)
