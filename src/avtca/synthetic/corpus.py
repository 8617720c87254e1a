"""Synthetic clips, a drawn moving face and a computed voice, in the layouts of the corpora.

They serve smoke tests, load tests and demonstrations without a corpus. The title of every file is
"synthetic": results on these clips say nothing about real people.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avtca.audio import resample
from avtca.errors import CorpusError
from avtca.labels import RAVDESS, canonical
from avtca.progress import ProgressHook, no_progress
from avtca.run_dir import RunDir
from avtca.synthetic.animation import animate, make_speaker
from avtca.synthetic.layouts import Layout, SyntheticSample, synth_samples
from avtca.synthetic.tables import write_tables
from avtca.synthetic.voice import RATE, Speech, speak
from avtca.worker_pool import run_jobs

TITLE = "synthetic"
"""Title in every file's metadata."""
COMMENT = f"made by avtca, {TITLE}: a drawn face and a computed voice"
AUDIO_CODECS = {".wav": "pcm_s16le", ".flac": "flac"}
AUDIO_RATE = 16_000
"""Hz of files with audio alone."""
VERSION = 2
"""Goes up when the same seed would give other clips."""
DRAWINGS = 15
"""Drawings per second, as in a cartoon; each is shown until the next."""


@dataclass(frozen=True)
class SynthSummary:
    """The outcome of :func:`synth_corpus`: clips ``made`` now, and ``kept`` from an earlier run."""

    out: Path
    made: int
    kept: int


def synth_clip(
    path: str | Path,
    *,
    emotion: str,
    speaker: int,
    seed: int,
    seconds: float = 3.0,
    size: tuple[int, int] = (1280, 720),
    fps: int = 30,
    strength: float = 1.0,
    statement: int = 1,
    sample: int = 0,
) -> Path:
    """Write one synthetic clip (mp4: H.264 and AAC), atomically.

    The same arguments give the same bytes on the same machine.

    Args:
        path: The file.
        emotion: A label of RAVDESS.
        speaker: With ``seed`` determines face and voice; odd numbers are male, as in RAVDESS.
        seed: See ``speaker``.
        seconds: Length of the clip.
        size: Width and height in pixels, even numbers.
        fps: Frames per second.
        strength: 0 is neutral, 1 strong.
        statement: Number of the speaker's statement, from 1.
        sample: Determines what varies between samples.

    Returns:
        The path.

    Raises:
        ValueError: An argument is out of range.
        CorpusError: The file cannot be written.
    """
    path, emotion = Path(path), canonical(emotion)
    if emotion not in RAVDESS:
        raise ValueError(f"emotion must be one of {', '.join(RAVDESS)}, found {emotion!r}")
    _check(seconds, size, fps)
    if speaker < 1 or seed < 0 or statement < 1 or sample < 0 or not 0 <= strength <= 1.5:
        raise ValueError(
            "need speaker >= 1, seed >= 0, statement >= 1, sample >= 0 and strength 0..1.5; "
            f"found {speaker}, {seed}, {statement}, {sample}, {strength}"
        )
    acted = _act(emotion, speaker, seed, statement, sample, strength, seconds, size, fps)
    _write_whole(path, [acted], size, fps)
    return path


@dataclass(frozen=True)
class _Acted:
    """Pictures, drawn when they are written, and speech."""

    pictures: Iterator[Image.Image]
    speech: Speech


def _act(
    emotion: str,
    speaker: int,
    seed: int,
    statement: int,
    sample: int,
    strength: float,
    seconds: float,
    size: tuple[int, int],
    fps: int,
) -> _Acted:
    voice, looks = make_speaker(speaker, seed)
    rng = np.random.default_rng([seed, speaker, RAVDESS.index(emotion), statement, sample, VERSION])
    speech = speak(voice, emotion, statement=statement, strength=strength, seconds=seconds, rng=rng)
    times = np.arange(0, max(1, round(seconds * fps)), _frames_per_drawing(fps)) / fps
    return _Acted(animate(looks, emotion, strength, speech, times, size, rng), speech)


def _frames_per_drawing(fps: int) -> int:
    """For how many frames a drawing is shown."""
    return max(1, fps // DRAWINGS)


def _check(seconds: float, size: tuple[int, int], fps: int) -> None:
    width, height = size
    if width % 2 or height % 2 or min(width, height) < 64:
        raise ValueError(f"size must be even numbers from 64 up, found {width} x {height}")
    if not 0.3 <= seconds <= 3600 or not 1 <= fps <= 240:
        raise ValueError(f"need seconds 0.3..3600 and fps 1..240, found {seconds} and {fps}")


def _write_whole(path: Path, parts: Sequence[_Acted], size: tuple[int, int], fps: int) -> None:
    """Write parts one after another: with pictures, or the audio alone by the file's suffix."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = np.concatenate([one.speech.wave for one in parts])
        if path.suffix in AUDIO_CODECS:
            _write_audio(part, wave, path.suffix)
        else:
            pictures = itertools.chain.from_iterable(one.pictures for one in parts)
            _write(part, pictures, wave, size, fps, path.suffix[1:])
        part.replace(path)
    except (OSError, av.FFmpegError) as error:
        why = error.strerror or str(error)
        raise CorpusError(f"write {path}", why, "check the folder and the disk's space") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _write(
    path: Path,
    pictures: Iterator[Image.Image],
    wave: NDArray[np.float32],
    size: tuple[int, int],
    fps: int,
    container: str,
) -> None:
    n, repeat = max(1, round(len(wave) / RATE * fps)), _frames_per_drawing(fps)
    with av.open(str(path), "w", format=container) as out:
        out.metadata["title"] = TITLE
        out.metadata["comment"] = COMMENT
        video = out.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "26"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.thread_count = 1
        video.codec_context.colorspace = 1  # BT.709,
        video.codec_context.color_range = 1  # limited
        audio = out.add_stream("aac", rate=RATE, layout="mono")
        for k, picture in enumerate(pictures):
            small = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            small = small.reformat(format="yuv420p", dst_colorspace="ITU709")
            frame = small.reformat(*size, interpolation="BILINEAR")
            frame.time_base = Fraction(1, fps)
            for frame.pts in range(k * repeat, min((k + 1) * repeat, n)):
                out.mux(video.encode(frame))
        out.mux(video.encode(None))
        _encode(out, audio, wave[None], "fltp", RATE)


def _write_audio(path: Path, wave: NDArray[np.float32], suffix: str) -> None:
    """Write 16-bit audio at 16 kHz, as the corpora have it."""
    with av.open(str(path), "w", format=suffix[1:]) as out:
        out.metadata["title"] = TITLE
        audio = out.add_stream(AUDIO_CODECS[suffix], rate=AUDIO_RATE, layout="mono")
        samples = (resample(wave, RATE, AUDIO_RATE).clip(-1, 1) * 32767).round().astype(np.int16)
        _encode(out, audio, samples[None], "s16", AUDIO_RATE)


def _encode(out: Any, stream: Any, values: NDArray[Any], kind: str, rate: int) -> None:
    frame = av.AudioFrame.from_ndarray(values, format=kind, layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def synth_corpus(
    out: str | Path,
    samples: int,
    speakers: int,
    seed: int,
    *,
    layout: Layout = "ravdess",
    seconds: float = 3.0,
    size: tuple[int, int] = (1280, 720),
    fps: int = 30,
    workers: int | None = None,
    progress: ProgressHook = no_progress,
) -> SynthSummary:
    """Make synthetic clips in the layout of a corpus; an interrupted call resumes.

    Args:
        out: Folder of the corpus; ``synth.json`` in it records the settings.
        samples: Number of clips.
        speakers: Number of speakers; each has a face, a voice, a light pattern and statements of
            their own, so that speaker-independent folds pass ``avtca audit``.
        seed: Other seeds give other speakers and samples.
        layout: Whose file names and tables, see :mod:`avtca.synthetic.layouts`.
        seconds: Length of a clip.
        size: Width and height in pixels.
        fps: Frames per second.
        workers: Processes; by default one per processor, 1 stays in this process.
        progress: Called with the stage, clips done, clips in all.

    Raises:
        ValueError: As in :func:`synth_clip`.
        CorpusError: The folder holds something else or other settings, a clip cannot be written, or
            as in :func:`~avtca.synthetic.layouts.synth_samples`.
    """
    out = Path(out)
    _check(seconds, size, fps)
    jobs = _jobs(synth_samples(samples, speakers, layout))
    settings: dict[str, object] = {
        "title": TITLE,
        "version": VERSION,
        "samples": samples,
        "speakers": speakers,
        "seed": seed,
        "seconds": seconds,
        "size": list(size),
        "fps": fps,
        **({} if layout == "ravdess" else {"layout": layout}),
    }
    RunDir(
        out,
        action=f"make a synthetic corpus in {out}",
        settings_file="synth.json",
        fix="choose another folder, or the same settings",
        error=CorpusError,
    ).open(settings)
    missing = [job for job in jobs if not all((out / path).exists() for path in _files(job))]
    kept = len(jobs) - len(missing)
    make = partial(_make, out=out, seed=seed, seconds=seconds, size=size, fps=fps)
    workers = min(workers or os.cpu_count() or 1, len(missing))
    progress("synthetic clips", kept, len(jobs))
    done = run_jobs(missing, partial(partial, make), _died, 0 if workers == 1 else workers)
    for n, _ in enumerate(done, kept + 1):
        progress("synthetic clips", n, len(jobs))
    write_tables(out, layout, list(itertools.chain.from_iterable(jobs)), seed, seconds)
    return SynthSummary(out, len(missing), kept)


Job = tuple[SyntheticSample, ...]
"""Samples of one file, in their order."""


def _jobs(samples: Sequence[SyntheticSample]) -> list[Job]:
    files = itertools.groupby(samples, lambda one: one.video or one.audio)
    return [tuple(group) for _, group in files]


def _files(job: Job) -> list[str]:
    return [path for path in (job[0].video, job[0].audio) if path]


def _make(
    job: Job,
    *,
    out: Path,
    seed: int,
    seconds: float,
    size: tuple[int, int],
    fps: int,
) -> None:
    parts = [
        _act(
            one.acted,
            one.speaker,
            seed,
            one.statement,
            one.variant,
            one.strength,
            seconds,
            size,
            fps,
        )
        for one in job
    ]
    for path in _files(job):
        _write_whole(out / path, parts, size, fps)


def _died(job: Job) -> None:
    raise CorpusError(
        f"make the synthetic clip {_files(job)[0]}",
        "its worker process died",
        "use fewer workers",
    )
