"""Decode media and series to prepared samples; runs in the worker processes of build_cache."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.corpora.cache_files import sha256_file
from avtca.corpora.index import CorpusIndex, SampleSource, Series
from avtca.corpora.media_hash import audio_hash, picture_hash
from avtca.corpora.sample_file import SampleFile, empty_video, is_silent
from avtca.errors import AvtcaError, CorpusError, MediaError
from avtca.media import MediaFile, hold_frames, open_media
from avtca.plugins import one_line
from avtca.preprocess import RawSample

if TYPE_CHECKING:
    from avtca.faces import TrackedCrop

SHORT_S = 0.5
"""Seconds by which a file may end before the length in its header."""


@dataclass(frozen=True)
class Span:
    """The part of a file that a sample covers, in video steps and audio samples, end exclusive."""

    first_step: int
    end_step: int
    first_sample: int
    end_sample: int
    duration_s: float | None

    @classmethod
    def of(cls, source: SampleSource, spec: ClipSpec) -> "Span":
        """The span of a sample; a segment begins on the step that holds ``start_s``."""
        rate = spec.video_rate
        first = int(np.floor((source.start_s or 0.0) * rate + 1e-6))
        if source.end_s is None:
            return cls(first, 1 << 60, round(first / rate * spec.sample_rate), 1 << 60, None)
        end = int(np.ceil(source.end_s * rate - 1e-6))
        samples = (round(first / rate * spec.sample_rate), round(source.end_s * spec.sample_rate))
        return cls(first, end, *samples, source.end_s - first / rate)


def decode_job(
    job: Sequence[SampleSource], index: CorpusIndex, spec: ClipSpec
) -> list[tuple[SampleSource, SampleFile]]:
    """Decode the samples of one file, or of one video and one audio file.

    Each file is decoded once, from start to end. A sample whose audio came from its
    ``fallback_audio`` is returned with that source and a warning.

    Raises:
        MediaError: A file cannot be decoded.
        CorpusError: A segment is beyond the end of its file, or the index rejects the sample.
    """
    job, notes = _with_audio(job)
    video, audio = job[0].video, job[0].audio
    spans = [Span.of(source, spec) for source in job]
    clips = {path: open_media(path) for path in dict.fromkeys((video, audio)) if path}
    faces = _decode_faces(clips[video], spans, spec) if video else [_no_faces(spec)] * len(job)
    waves = _decode_audio(clips[audio], spans, spec) if audio else [_SILENT] * len(job)
    for path, clip in clips.items():
        _require_whole(clip, video=path == video, audio=path == audio)
    length = max((clip.decoded_seconds for clip in clips.values()), default=0.0)
    warnings = [*notes, *(text for clip in clips.values() for text in clip.warnings)]
    digests = {path: _digest(path, path.stat().st_mtime_ns) for path in clips}
    out = []
    for source, span, (steps, crops), wave in zip(job, spans, faces, waves, strict=True):
        duration = span.duration_s
        if clips:
            start = span.first_step / spec.video_rate
            if start >= length:
                raise CorpusError(
                    f"cut {source.sample_id} at {source.start_s or 0:g} s",
                    f"the file ends after {length:.2f} s",
                    "check the segment times",
                )
            duration = min(length - start, span.duration_s or length)
        raw = _with_series(RawSample(steps, crops, wave, duration or 0.0), source, spec)
        if index.unusable is not None and (why := index.unusable(raw)):
            raise CorpusError(f"use {source.sample_id}", why, "the other samples are prepared")
        out.append((source, SampleFile(raw, _row(raw, source, index, spec, digests, warnings))))
    return out


def _with_audio(job: Sequence[SampleSource]) -> tuple[Sequence[SampleSource], list[str]]:
    """The job with its fallback audio where the audio is unusable, and the warning."""
    audio, fallback = job[0].audio, job[0].fallback_audio
    if audio is None or fallback is None or fallback == audio or not (why := _audio_problem(audio)):
        return job, []
    note = f"{audio.name}: {why}; the audio of {fallback.name} is used"
    return [replace(source, audio=fallback) for source in job], [note]


def _audio_problem(path: Path) -> str:
    """Why a file has no usable audio, empty if it has; stops at the first audible block."""
    try:
        clip = open_media(path)
        silent = all(map(is_silent, clip.audio(clip.info.sample_rate or 16_000)))
    except MediaError as error:
        return error.problem
    return "it holds no audio" if silent else ""


def _require_whole(clip: MediaFile, *, video: bool, audio: bool) -> None:
    """Refuse truncated files; streams that were not decoded may be the longer ones."""
    read_all = (video or not clip.has_video) and (audio or not clip.has_audio)
    slack = SHORT_S if read_all else SHORT_S + 0.3 * clip.duration_s
    if clip.reliable_header and clip.duration_s - clip.decoded_seconds > slack:
        raise MediaError(
            f"read {clip.path.name}",
            f"its header gives {clip.duration_s:.1f} s, it ends after {clip.decoded_seconds:.1f} s",
            "unpack or download it again",
        )


_SILENT = np.zeros(0, np.float32)


def _no_faces(spec: ClipSpec) -> tuple[NDArray[np.int64], NDArray[Any]]:
    return np.zeros(0, np.int64), empty_video(spec)


@functools.cache
def _detector() -> Any:
    from avtca.faces import best_detector

    return best_detector()


@functools.lru_cache(maxsize=64)
def _digest(path: Path, mtime_ns: int) -> str:
    return sha256_file(path)


def _decode_faces(
    clip: MediaFile, spans: Sequence[Span], spec: ClipSpec
) -> list[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Steps from the start of each span, and crops of its main person."""
    from avtca.faces import rank_people, track_faces

    seen: list[dict[int, list[TrackedCrop]]] = [{} for _ in spans]
    frames = (
        frame
        for frame in hold_frames(clip.frames(spec.video_rate), spec.video_rate)
        if any(span.first_step <= frame.step < span.end_step for span in spans)
    )
    for frame, faces in track_faces(frames, _detector(), spec.crop_px, spec.colour):
        for people, span in zip(seen, spans, strict=True):
            if span.first_step <= frame.step < span.end_step:
                for face in faces:
                    people.setdefault(face.person, []).append(face)
    out = []
    for people, span in zip(seen, spans, strict=True):
        ranked = rank_people({n: [face.area for face in each] for n, each in people.items()})
        if ranked:
            main = people[ranked[0]]
            steps = np.array([face.step - span.first_step for face in main], np.int64)
            out.append((steps, np.stack([face.crop for face in main])))
        else:
            out.append(_no_faces(spec))
    return out


def _decode_audio(
    clip: MediaFile, spans: Sequence[Span], spec: ClipSpec
) -> list[NDArray[np.float32]]:
    """The audio of each span."""
    parts: list[list[NDArray[np.float32]]] = [[] for _ in spans]
    at = 0
    for block in clip.audio(spec.sample_rate):
        for part, span in zip(parts, spans, strict=True):
            a, b = max(span.first_sample - at, 0), min(span.end_sample - at, len(block))
            if a < b:
                part.append(block[a:b])
        at += len(block)
    return [np.concatenate(part) if part else _SILENT for part in parts]


def _with_series(raw: RawSample, source: SampleSource, spec: ClipSpec) -> RawSample:
    """The sample with the features that the corpus ships, where the spec uses them."""
    steps, video, wave, duration = raw.steps, raw.video, raw.wave, raw.duration_s
    audio = audio_times = None
    if source.video_series is not None:
        times, video = _load(source.video_series, source, "video")
        duration = duration or float(times[-1]) + 1 / spec.video_rate
        steps = np.floor(times * spec.video_rate + 1e-6).astype(np.int64)
        if len(times) == 1:
            steps = np.arange(total_steps(duration, spec), dtype=np.int64)
            video = np.repeat(video, len(steps), axis=0)
        _require_width(source, "video", video.shape[1], spec.video_dim)
    if spec.audio == "features":
        wave, audio = _SILENT, np.zeros((spec.audio_dim, 0), np.float32)
        audio_times = np.zeros(0)
        if source.audio_series is not None:
            audio_times, values = _load(source.audio_series, source, "audio")
            _require_width(source, "audio", values.shape[1], spec.audio_dim)
            audio = np.ascontiguousarray(values.T)
            if len(audio_times):
                duration = duration or float(audio_times[-1]) + spec.hop / spec.sample_rate
    return RawSample(steps, video, wave, duration, audio, audio_times)


def _load(
    series: Series, source: SampleSource, kind: str
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The times and values of a series, which may be of a user's code."""
    action = f"prepare {source.sample_id}"
    try:
        times, values = series.load()
    except (AvtcaError, OSError, MemoryError):
        raise
    except Exception as error:
        found = f"its {kind} features cannot be loaded ({one_line(error)})"
        raise CorpusError(
            action, found, "correct its files, or the code that reads them"
        ) from error
    times, values = np.asarray(times), np.asarray(values)
    if values.ndim != 2 or times.shape != values.shape[:1]:
        raise CorpusError(
            action,
            f"its {kind} features are times {times.shape} and values {values.shape}",
            "return times (n,) and values (n, f)",
        )
    if not (np.isfinite(times).all() and np.isfinite(values).all() and (np.diff(times) >= 0).all()):
        raise CorpusError(
            action,
            f"its {kind} features have values that are not finite, or times out of order",
            "leave such rows out",
        )
    return times, values


def _require_width(source: SampleSource, kind: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise CorpusError(
            f"prepare {source.sample_id}",
            f"its {kind} features have {found} values, the ClipSpec has {wanted}",
            f"set {kind}_dim to {found}",
        )


def total_steps(duration_s: float, spec: ClipSpec) -> int:
    """Number of video steps of a sample, at least one."""
    return max(1, int(np.ceil(duration_s * spec.video_rate - 1e-6)))


def _content(raw: RawSample) -> str:
    """Hash of a sample's features, whose file may hold thousands of samples."""
    digest = hashlib.sha256(np.ascontiguousarray(raw.video).tobytes())
    if raw.audio is not None:
        digest.update(np.ascontiguousarray(raw.audio).tobytes())
    return digest.hexdigest()


def _row(
    raw: RawSample,
    source: SampleSource,
    index: CorpusIndex,
    spec: ClipSpec,
    digests: dict[Path, str],
    warnings: list[str],
) -> dict[str, Any]:
    from avtca.audio import voice_activity

    steps = total_steps(raw.duration_s, spec)
    with_face = np.unique(raw.steps[(raw.steps >= 0) & (raw.steps < steps)])
    if raw.audio is not None and raw.audio_times is not None:
        heard = np.unique((raw.audio_times * spec.video_rate).astype(int))
        voice = min(1.0, len(heard) / steps)
    else:
        voiced = voice_activity(raw.wave, spec.sample_rate)
        voice = float(voiced.sum()) / max(1, round(raw.duration_s * 100)) if len(voiced) else 0.0
    crops = raw.video if spec.video == "pixels" else np.zeros((0, 1, 1), np.uint8)
    files = source.files()
    main = source.video or source.audio or (files[0] if files else None)
    separate_audio = source.separate_audio
    return {
        "face_coverage": len(with_face) / steps,
        "voice_coverage": min(1.0, voice),
        "source": index.relative(main) if main else "",
        "source_sha256": digests[main] if main in digests else _content(raw),
        "audio_source": index.relative(separate_audio) if separate_audio else "",
        "audio_sha256": digests[separate_audio] if separate_audio else "",
        "detector": _detector().name if source.video else "",
        "picture_hash": picture_hash(crops),
        "audio_hash": audio_hash(raw.wave, spec.sample_rate),
        "warnings": "; ".join(dict.fromkeys(warnings)),
    }
