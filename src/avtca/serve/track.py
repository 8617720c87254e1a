"""Faces and waveform of a recording for the page, collected while it is read."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.errors import MediaError
from avtca.faces import TrackedFace
from avtca.media import Frame, Media

PEAK_RATE = 50
"""Peaks of the waveform a second."""
MAX_FRAMES = 2**17
"""Most frames of a track; when there are more, every second one is dropped."""


class Limits:
    """Observer that ends the reading of a recording over the limits.

    Args:
        name: Name of the recording in messages.
        max_s: Longest recording in seconds.
        max_pixels: Largest frame.
        sample_rate: Hz of the audio.
    """

    def __init__(self, name: str, max_s: float, max_pixels: int, sample_rate: int) -> None:
        self.name, self.max_s, self.max_pixels = name, max_s, max_pixels
        self.sample_rate = sample_rate
        self.duration_s = 0.0
        self._samples = 0

    def opened(self, clip: Media) -> None:
        """Check the headers."""
        self.duration_s = clip.duration_s
        self._check_length(clip.duration_s)
        info = getattr(clip, "info", None)
        self._check_size(getattr(info, "width", None) or 0, getattr(info, "height", None) or 0)

    def started(self, quarter_turns: int) -> None:
        """Count from the start."""
        self._samples = 0

    def frame(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """Check a frame: headers can be wrong."""
        self._check_length(frame.time_s)
        self._check_size(frame.image.width, frame.image.height)

    def audio(self, block: NDArray[np.float32]) -> None:
        """Check the length of the audio."""
        self._samples += len(block)
        self._check_length(self._samples / self.sample_rate)

    def _check_length(self, seconds: float) -> None:
        if seconds > self.max_s:
            problem = f"it is longer than the {self.max_s:g} s that this service reads"
            raise MediaError(f"read {self.name}", problem, "send parts of it: start_s, end_s")

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self.max_pixels:
            problem = f"its frames have {width} x {height} pixels, this service reads "
            problem += f"{self.max_pixels} in all"
            raise MediaError(f"read {self.name}", problem, "send it with smaller frames")


class Track(Limits):
    """Observer that also collects face boxes, frame times and the peaks of the waveform.

    Boxes are in pixels of the upright frame that a player shows, also where the faces were read
    from turned frames.

    Args:
        name: Name of the recording in messages.
        max_s: Longest recording in seconds.
        max_pixels: Largest frame.
        sample_rate: Hz of the audio.
        step_s: Seconds of a video step.
    """

    def __init__(
        self, name: str, max_s: float, max_pixels: int, sample_rate: int, step_s: float
    ) -> None:
        super().__init__(name, max_s, max_pixels, sample_rate)
        self.step_s = step_s
        self.started(0)

    def started(self, quarter_turns: int) -> None:
        """Forget what was collected."""
        super().started(quarter_turns)
        self._turns = quarter_turns
        self._size: tuple[int, int] | None = None
        self._frames: list[tuple[float, list[tuple[int, list[float]]]]] = []
        self._seen, self._every = 0, 1
        self._peaks: list[float] = []
        self._rest: NDArray[np.float32] = np.zeros(0, np.float32)

    def frame(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """Collect the boxes of a frame that is not repeated."""
        super().frame(frame, faces)
        if frame.held_s:
            return
        width, height = frame.image.width, frame.image.height
        size = (height, width) if self._turns % 2 else (width, height)
        self._size = self._size or size
        scale = self._size[0] / size[0], self._size[1] / size[1]
        if self._seen % self._every == 0:
            boxes = [(face.person, self._upright(face.box, size, scale)) for face in faces]
            self._frames.append((round(frame.time_s, 4), boxes))
            if len(self._frames) > MAX_FRAMES:
                self._frames, self._every = self._frames[::2], 2 * self._every
        self._seen += 1

    def audio(self, block: NDArray[np.float32]) -> None:
        """Collect the peaks of a block."""
        super().audio(block)
        wave = np.concatenate((self._rest, np.abs(block)))
        length = self.sample_rate // PEAK_RATE
        n = len(wave) // length
        self._peaks += wave[: n * length].reshape(n, length).max(axis=1).tolist() if n else []
        self._rest = wave[n * length :]

    def to_dict(self) -> dict[str, Any]:
        """The answer of ``GET /v1/jobs/{id}/track``."""
        people: dict[int, dict[str, Any]] = {}
        for time_s, boxes in self._frames:
            for person, box in boxes:
                face = people.setdefault(person, {"person": person, "time_s": [], "box": []})
                face["time_s"].append(time_s)
                face["box"].append(box)
        width, height = self._size or (0, 0)
        last = [float(self._rest.max())] if len(self._rest) else []
        peaks = [round(min(1.0, peak), 3) for peak in (*self._peaks, *last)]
        return {
            "width": width,
            "height": height,
            "step_s": self.step_s,
            "faces": [people[person] for person in sorted(people)],
            "waveform": {"rate": PEAK_RATE, "peaks": peaks},
            "frames": [time_s for time_s, _ in self._frames],
        }

    def to_json(self) -> bytes:
        """:meth:`to_dict` as JSON."""
        return json.dumps(self.to_dict(), separators=(",", ":")).encode()

    def _upright(
        self, box: NDArray[np.float32], size: tuple[int, int], scale: tuple[float, float]
    ) -> list[float]:
        """The box before the frame was turned: each quarter turn moved (x, y) to (y, w - x)."""
        x0, y0, x1, y1 = (float(edge) for edge in box)
        width, height = size if self._turns % 2 == 0 else size[::-1]  # of the turned frame
        for _ in range(self._turns % 4):
            width, height = height, width
            x0, y0, x1, y1 = width - y1, x0, width - y0, x1
        return [
            round(x0 * scale[0], 1),
            round(y0 * scale[1], 1),
            round(x1 * scale[0], 1),
            round(y1 * scale[1], 1),
        ]
