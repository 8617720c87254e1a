"""A speaker model of the user's, such as Light-ASD, in place of the packaged score.

``experiments/light_asd.py`` converts its published weights.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avtca.errors import CheckpointError
from avtca.faces import TEMPLATE, TrackedFace, align_image
from avtca.speaker.mfcc import MFCC_RATE, N_COEFFICIENTS
from avtca.speaker.mouths import MAX_FACES, MAX_STEP_S, MOUTH_RATE

if TYPE_CHECKING:
    from avtca.media import Moment

FACES, MFCC, MOTION = "faces", "mfcc", "motion"
"""Inputs: grey faces ``(t, 112, 112)``, coefficients ``(4 t, 13)``, embeddings ``(t, 128)``."""
MOTION_OF, LOG_ODDS = "motion_of_faces", "log_odds"
"""Outputs: the embeddings of the faces; the log odds ``(t,)`` that a face speaks."""
PIXEL_MEAN, PIXEL_STD = 0.4161, 0.1688
"""Of the grey faces that Light-ASD was trained on, 0 to 1."""
SIDE_PX, N_MOTION = 112, 128
CONTEXT, BATCH = 6, 64
"""Steps before and after a face that its embedding depends on, and faces of a batch."""
WINDOW = 150
"""Longest stretch that the model sees at once, in steps."""
EYES, MOUTH_Y = 0.42, 0.6
"""Distance of the eyes, and height of the mouth in a crop, in its sides."""
EVIDENCE_PER_STEP = 0.1
"""Share of the log odds of a step that counts as evidence: steps are not independent."""
_MOUTH = TEMPLATE[3:].mean(axis=0)
FACE_TEMPLATE = (
    (TEMPLATE - _MOUTH) * (EYES / (TEMPLATE[1, 0] - TEMPLATE[0, 0])) + np.array([0.5, MOUTH_Y])
).astype(np.float32)
"""Landmarks of a face in its crop: the whole face, as Light-ASD was trained with."""
Float = NDArray[np.float32]
UInt8 = NDArray[np.uint8]


class SpeakerModel:
    """A network that tells whether a face speaks, in onnxruntime.

    Args:
        path: Its file.

    Attributes:
        sha256: Hash of the file.

    Raises:
        CheckpointError: The file cannot be read, or is not such a network.
    """

    def __init__(self, path: str | Path) -> None:
        import onnxruntime

        action = f"load the speaker model {path}"
        fix = "convert the weights of Light-ASD with experiments/light_asd.py"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise CheckpointError(action, error.strerror or "it cannot be read", fix) from None
        self.sha256 = hashlib.sha256(data).hexdigest()
        try:
            self._session = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
        except Exception:  # whatever onnxruntime makes of the file
            raise CheckpointError(action, "it is no ONNX file, or is damaged", fix) from None
        shapes = {one.name: one.shape[1:] for one in self._session.get_inputs()}
        wanted = {
            FACES: [SIDE_PX, SIDE_PX],
            MOTION: [N_MOTION],
            MFCC: [N_COEFFICIENTS],
        }
        outputs = {one.name for one in self._session.get_outputs()}
        if shapes != wanted or outputs != {MOTION_OF, LOG_ODDS}:
            given = ", ".join(f"{name} {shape}" for name, shape in sorted(shapes.items()))
            raise CheckpointError(action, f"it is another network, with inputs {given}", fix)
        self._options = onnxruntime.RunOptions()
        self._options.only_execute_path_to_fetches = True

    def motion(self, faces: UInt8) -> Float:
        """Embeddings ``(t, 128)`` of grey faces ``(t, 112, 112)``, 25 a second."""
        return self._run(MOTION_OF, **{FACES: faces})

    def log_odds(self, motion: Float, mfcc: Float) -> NDArray[np.float64]:
        """Log odds of speaking ``(t,)`` from embeddings, and coefficients at four times the rate.

        Windows of :data:`WINDOW` steps at most are read.
        """
        n = len(motion)
        ends = np.linspace(0, n, max(1, -(-n // WINDOW)) + 1).astype(int)
        mfcc = np.pad(mfcc, ((0, max(0, 4 * n - len(mfcc))), (0, 0)), mode="edge")
        parts = [
            self._run(LOG_ODDS, **{MOTION: motion[a:b], MFCC: mfcc[4 * a : 4 * b]})
            for a, b in pairwise(ends)
        ]
        return np.concatenate(parts).astype(np.float64)

    def _run(self, output: str, **given: NDArray[Any]) -> Float:
        feed = {
            FACES: np.zeros((1, SIDE_PX, SIDE_PX), np.uint8),
            MOTION: np.zeros((1, N_MOTION), np.float32),
            MFCC: np.zeros((4, N_COEFFICIENTS), np.float32),
        } | given
        return np.asarray(self._session.run([output], feed, self._options)[0], np.float32)


@dataclass
class FaceSeries:
    """A face over time for a speaker model, 25 steps a second.

    Attributes:
        times: Timestamps of its frames in seconds.
        stretches: First step, and embeddings ``(n, 128)``, of each time in view without a gap.
    """

    times: list[float] = field(default_factory=list)
    stretches: list[tuple[int, list[Float]]] = field(default_factory=list)
    _waiting: list[UInt8] = field(default_factory=list)
    _done: int = 0
    """Number of the first of these whose embedding is known."""

    @property
    def next_step(self) -> int:
        """The step after the last frame."""
        first, parts = self.stretches[-1]
        return first + sum(map(len, parts)) + len(self._waiting) - self._done

    def add(self, time_s: float, crop: UInt8, model: SpeakerModel) -> None:
        """Add the next frame; it is repeated where the step before has none."""
        step = int(time_s * MOUTH_RATE + 1e-6)
        if not self.stretches or time_s - self.times[-1] > MAX_STEP_S:
            self.finish(model)
            self.stretches.append((step, []))
        self.times.append(time_s)
        self._waiting += [crop] * max(0, step + 1 - self.next_step)
        if len(self._waiting) >= BATCH:
            self._run(model, CONTEXT)

    def finish(self, model: SpeakerModel) -> None:
        """End the stretch."""
        if self.stretches and len(self._waiting) > self._done:
            self._run(model, 0)
        self._waiting, self._done = [], 0

    def _run(self, model: SpeakerModel, later: int) -> None:
        """Embed what waits but for the last faces, whose later neighbours are missing."""
        made = model.motion(np.stack(self._waiting))
        stop = len(made) - later
        self.stretches[-1][1].append(made[self._done : stop])
        keep = max(0, stop - CONTEXT)
        self._waiting, self._done = self._waiting[keep:], stop - keep

    def evidence(self, model: SpeakerModel, mfcc: Float) -> list[tuple[int, NDArray[np.float64]]]:
        """First step and log odds of each stretch, weighted for :func:`find_speakers`."""
        out = []
        for first, parts in self.stretches:
            motion = np.concatenate(parts) if parts else np.zeros((0, N_MOTION), np.float32)
            motion = motion[: max(0, len(mfcc) * MOUTH_RATE // MFCC_RATE - first)]
            if len(motion):
                odds = model.log_odds(motion, mfcc[4 * first :])
                out.append((first, EVIDENCE_PER_STEP * odds))
        return out


class FaceRecorder:
    """Records the faces of a stream of frames for a speaker model, as :class:`MouthRecorder`."""

    def __init__(self, model: SpeakerModel) -> None:
        self.series: dict[int, FaceSeries] = {}
        self._model = model
        self._before: dict[int, TrackedFace] = {}

    def add(self, moments: "Sequence[Moment]", faces: Sequence[TrackedFace]) -> None:
        """Add the frames of the denser clock up to one with these faces."""
        for face in sorted(faces, key=lambda face: -face.area)[:MAX_FACES]:
            before = self._before.get(face.person)
            series = self.series.setdefault(face.person, FaceSeries())
            for moment in moments:
                late = series.times and moment.time_s <= series.times[-1]
                if late or (before is None and face.time_s - moment.time_s > MAX_STEP_S):
                    continue
                landmarks = _landmarks(before, face, moment.time_s)
                crop = align_image(moment.image, landmarks, SIDE_PX, "grey", FACE_TEMPLATE)
                series.add(moment.time_s, crop, self._model)
        self._before = {face.person: face for face in faces}

    def log_odds(self, mfcc: Float) -> dict[int, list[tuple[int, NDArray[np.float64]]]]:
        """Evidence of each person for :func:`find_speakers`, from the audio's coefficients."""
        return {number: one.evidence(self._model, mfcc) for number, one in self.series.items()}

    def finish(self) -> None:
        """Embed the last faces."""
        for series in self.series.values():
            series.finish(self._model)


def _landmarks(before: TrackedFace | None, after: TrackedFace, time_s: float) -> Float:
    if before is None or after.time_s <= before.time_s:
        return after.landmarks
    share = np.clip((time_s - before.time_s) / (after.time_s - before.time_s), 0, 1)
    between = (1 - share) * before.landmarks + share * after.landmarks
    return np.asarray(between, np.float32)
