"""Synthetic clips, a drawn moving face and a computed voice, with RAVDESS's file names.

They serve smoke tests, load tests and demonstrations without a corpus. The title of every file is
"synthetic": results on these clips say nothing about real people.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from PIL import Image

from avtca.corpora.worker_pool import run_jobs
from avtca.errors import CorpusError
from avtca.labels import RAVDESS, canonical
from avtca.progress import ProgressHook, no_progress
from avtca.run_dir import RunDir
from avtca.synthetic.animation import animate, make_speaker
from avtca.synthetic.voice import RATE, Speech, speak

TITLE = "synthetic"
"""Title in every file's metadata."""
VERSION = 2
"""Goes up when the same seed would give other clips."""
MAX_SPEAKERS = 99
DRAWINGS = 15
"""Drawings per second, as in a cartoon; each is shown until the next."""
WEAK, STRONG = 0.65, 1.0
"""Strength of RAVDESS's two intensities."""


@dataclass(frozen=True)
class SyntheticSample:
    """One sample in the coding of RAVDESS; all numbers from 1, ``emotion`` 1 is neutral."""

    emotion: int
    intensity: int
    statement: int
    repetition: int
    speaker: int

    @property
    def path(self) -> str:
        """Path inside the corpus: ``Actor_AA/01-01-EE-II-SS-RR-AA.mp4``."""
        parts = (1, 1, self.emotion, self.intensity, self.statement, self.repetition, self.speaker)
        return f"Actor_{self.speaker:02d}/" + "-".join(f"{part:02d}" for part in parts) + ".mp4"


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
    voice, looks = make_speaker(speaker, seed)
    rng = np.random.default_rng([seed, speaker, RAVDESS.index(emotion), statement, sample, VERSION])
    speech = speak(voice, emotion, statement=statement, strength=strength, seconds=seconds, rng=rng)
    times = np.arange(0, max(1, round(seconds * fps)), _frames_per_drawing(fps)) / fps
    _write_whole(
        path, animate(looks, emotion, strength, speech, times, size, rng), speech, size, fps
    )
    return path


def _frames_per_drawing(fps: int) -> int:
    """For how many frames a drawing is shown."""
    return max(1, fps // DRAWINGS)


def _check(seconds: float, size: tuple[int, int], fps: int) -> None:
    width, height = size
    if width % 2 or height % 2 or min(width, height) < 64:
        raise ValueError(f"size must be even numbers from 64 up, found {width} x {height}")
    if not 0.3 <= seconds <= 3600 or not 1 <= fps <= 240:
        raise ValueError(f"need seconds 0.3..3600 and fps 1..240, found {seconds} and {fps}")


def _write_whole(
    path: Path, pictures: Iterator[Image.Image], speech: Speech, size: tuple[int, int], fps: int
) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(part, pictures, speech, size, fps)
        part.replace(path)
    except (OSError, av.FFmpegError) as error:
        why = error.strerror or str(error)
        raise CorpusError(f"write {path}", why, "check the folder and the disk's space") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _write(
    path: Path, pictures: Iterator[Image.Image], speech: Speech, size: tuple[int, int], fps: int
) -> None:
    n, repeat = max(1, round(len(speech.wave) / RATE * fps)), _frames_per_drawing(fps)
    with av.open(str(path), "w", format="mp4") as out:
        out.metadata["title"] = TITLE
        out.metadata["comment"] = f"made by avtca, {TITLE}: a drawn face and a computed voice"
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
        wave = av.AudioFrame.from_ndarray(speech.wave[None], format="fltp", layout="mono")
        wave.sample_rate, wave.time_base, wave.pts = RATE, Fraction(1, RATE), 0
        out.mux(audio.encode(wave))
        out.mux(audio.encode(None))


def synth_samples(samples: int, speakers: int) -> list[SyntheticSample]:
    """The samples of a corpus, evenly distributed over the speakers; 60 each are those of RAVDESS.

    Emotion varies fastest, then intensity (neutral has no strong form), statement, repetition.
    Each speaker starts with another emotion, so that few samples still show them all. Raises
    :class:`CorpusError` for more speakers than samples, or than RAVDESS's names can number.
    """
    if not 1 <= speakers <= min(samples, MAX_SPEAKERS):
        raise CorpusError(
            f"make {samples} synthetic samples of {speakers} speakers",
            f"speakers are numbered 1 to {MAX_SPEAKERS}, and each needs a sample",
            "choose other numbers",
        )
    each, more = divmod(samples, speakers)
    return [
        _sample(k, (speaker - 1) * each, speaker)
        for speaker in range(1, speakers + 1)
        for k in range(each + (speaker <= more))
    ]


def _sample(k: int, shift: int, speaker: int) -> SyntheticSample:
    """Sample ``k`` of a speaker: eight weak and seven strong ones of a statement make a block."""
    block, place = divmod(k, 15)
    strong = place >= 8
    emotion = 2 + (place - 8 + shift) % 7 if strong else 1 + (place + shift) % 8
    repetition, statement = divmod(block, 2)
    return SyntheticSample(emotion, 1 + strong, statement + 1, repetition + 1, speaker)


def synth_corpus(
    out: str | Path,
    samples: int,
    speakers: int,
    seed: int,
    *,
    seconds: float = 3.0,
    size: tuple[int, int] = (1280, 720),
    fps: int = 30,
    workers: int | None = None,
    progress: ProgressHook = no_progress,
) -> SynthSummary:
    """Make synthetic clips, named as in RAVDESS; an interrupted call resumes.

    Args:
        out: Folder of the corpus; ``synth.json`` in it records the settings.
        samples: Number of clips.
        speakers: Number of speakers; each has a face, a voice, a light pattern and statements of
            their own, so that speaker-independent folds pass ``avtca audit``.
        seed: Other seeds give other speakers and samples.
        seconds: Length of a clip.
        size: Width and height in pixels.
        fps: Frames per second.
        workers: Processes; by default one per processor, 1 stays in this process.
        progress: Called with the stage, clips done, clips in all.

    Raises:
        ValueError: As in :func:`synth_clip`.
        CorpusError: The folder holds something else or other settings, a clip cannot be written, or
            as in :func:`synth_samples`.
    """
    out = Path(out)
    _check(seconds, size, fps)
    wanted = synth_samples(samples, speakers)
    settings: dict[str, object] = {
        "title": TITLE,
        "version": VERSION,
        "samples": samples,
        "speakers": speakers,
        "seed": seed,
        "seconds": seconds,
        "size": list(size),
        "fps": fps,
    }
    RunDir(
        out,
        action=f"make a synthetic corpus in {out}",
        settings_file="synth.json",
        fix="choose another folder, or the same settings",
        error=CorpusError,
    ).open(settings)
    missing = [sample for sample in wanted if not (out / sample.path).exists()]
    kept = len(wanted) - len(missing)
    make = partial(_make, out=out, seed=seed, seconds=seconds, size=size, fps=fps)
    workers = min(workers or os.cpu_count() or 1, len(missing))
    progress("synthetic clips", kept, len(wanted))
    jobs = run_jobs(missing, partial(partial, make), _died, 0 if workers == 1 else workers)
    for n, _ in enumerate(jobs, kept + 1):
        progress("synthetic clips", n, len(wanted))
    return SynthSummary(out, len(missing), kept)


def _make(
    sample: SyntheticSample,
    *,
    out: Path,
    seed: int,
    seconds: float,
    size: tuple[int, int],
    fps: int,
) -> None:
    synth_clip(
        out / sample.path,
        emotion=RAVDESS[sample.emotion - 1],
        speaker=sample.speaker,
        seed=seed,
        seconds=seconds,
        size=size,
        fps=fps,
        strength=STRONG if sample.intensity == 2 else WEAK,
        statement=sample.statement,
        sample=2 * sample.repetition + sample.intensity,
    )


def _died(sample: SyntheticSample) -> None:
    raise CorpusError(
        f"make the synthetic clip {sample.path}", "its worker process died", "use fewer workers"
    )
