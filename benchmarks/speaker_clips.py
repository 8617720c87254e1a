"""Mouths, faces and sound of the talking clips of ``../shared``, recorded once."""

import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.audio import voice_activity
from avtca.faces import best_detector, track_faces
from avtca.media import hold_frames, open_media
from avtca.speaker import (
    FRAME_RATE,
    MOUTH_RATE,
    FaceRecorder,
    MfccSeries,
    MouthRecorder,
    MouthSeries,
    SpeakerModel,
    SpeechLevels,
)
from avtca.speaker.model import FaceSeries

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
RATE, AUDIO_RATE, VOICE_RATE = 10, 16_000, 100
GRID = ("bbaf2n", "brbk7n", "lbax4n", "lbbc2a", "lwbsza", "pwij3p")
RAVDESS = ("talking/01-01-01-01-01-02-01", "talking/01-01-08-01-01-02-01")
CREMAD = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
SPEECH_PARTS = ((1.8, 4.8), (4.2, 6.8), (5.6, 8.72))
"""Parts of obama_speech.mp4 in which both men are in view and one speaks, in seconds."""
Double = NDArray[np.float64]
Float = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """Mouth and voice of one person, from a recording or a part of one."""

    name: str
    person: str
    series: MouthSeries
    level: Double
    voiced: NDArray[np.bool_]
    speaks: bool = True
    wave: Float | None = field(default=None, repr=False)
    mfcc: Float = field(default_factory=lambda: np.zeros((0, 13), np.float32), repr=False)
    motion: Float = field(default_factory=lambda: np.zeros((0, 128), np.float32), repr=False)
    """Embeddings of the face by the speaker model, 25 a second."""

    @property
    def length_s(self) -> float:
        return len(self.level) / MOUTH_RATE


def record(path: Path) -> tuple[dict[int, MouthSeries], Float]:
    """Mouths by person, as the recognizer collects them, and the waveform of a file."""
    clip, recorder = open_media(str(path)), MouthRecorder()
    frames = hold_frames(clip.frames(RATE, FRAME_RATE), RATE)
    for frame, faces in track_faces(frames, best_detector(), 48):
        recorder.add(frame.dense, faces)
    recorder.finish()
    return recorder.series, np.concatenate(list(clip.audio(AUDIO_RATE)))


def record_faces(path: Path, model: SpeakerModel) -> dict[int, Float]:
    """Embeddings of each face by person, from step 0 on; a face that comes later is repeated."""
    clip, recorder = open_media(str(path)), FaceRecorder(model)
    frames = hold_frames(clip.frames(RATE, MOUTH_RATE), RATE)
    for frame, faces in track_faces(frames, best_detector(), 48):
        recorder.add(frame.dense, faces)
    recorder.finish()
    return {number: _dense(series) for number, series in recorder.series.items()}


def _dense(series: FaceSeries) -> Float:
    found = [(first, np.concatenate(parts)) for first, parts in series.stretches if parts]
    steps = np.concatenate([first + np.arange(len(part)) for first, part in found])
    values = np.concatenate([part for _, part in found])
    return values[np.searchsorted(steps, np.arange(steps[-1] + 1))]


def coefficients(wave: Float) -> Float:
    """Coefficients of a waveform."""
    series = MfccSeries()
    series.add(wave)
    return series.values()


def heard(wave: NDArray[np.float32]) -> tuple[Double, NDArray[np.bool_]]:
    """Level and voice of a waveform."""
    levels = SpeechLevels(AUDIO_RATE)
    levels.add(wave)
    return levels.values(), voice_activity(wave, AUDIO_RATE)


def mixed(clip: Clip, noise: NDArray[np.float32], snr_db: float) -> Clip:
    """A clip with noise under its speech."""
    wave = clip.wave
    assert wave is not None
    noise = np.resize(noise, len(wave))
    power = float(np.square(wave).mean()) / max(1e-12, float(np.square(noise).mean()))
    both = wave + noise * np.sqrt(power / 10 ** (snr_db / 10))
    both = np.asarray(both, np.float32)
    level, voiced = heard(both)
    return replace(clip, level=level, voiced=voiced, mfcc=coefficients(both))


def part(clip: Clip, start_s: float, end_s: float) -> Clip:
    """A part of a clip."""
    times = np.array(clip.series.times)
    inside = np.flatnonzero((times >= start_s) & (times < end_s))
    series = MouthSeries(
        [float(times[k] - start_s) for k in inside], [clip.series.values[k] for k in inside]
    )
    steps = slice(round(start_s * MOUTH_RATE), round(end_s * MOUTH_RATE))
    ticks = slice(round(start_s * VOICE_RATE), round(end_s * VOICE_RATE))
    name = f"{clip.name} {start_s:g}-{end_s:g}"
    return replace(
        clip, name=name, series=series, level=clip.level[steps], voiced=clip.voiced[ticks],
        motion=clip.motion[steps], mfcc=clip.mfcc[ticks],
    )  # fmt: skip


def joined(clips: Sequence[Clip]) -> Clip:
    """Clips in a row."""
    times, values, at = [], [], 0.0
    for clip in clips:
        inside = [k for k, time in enumerate(clip.series.times) if time < clip.length_s]
        times += [clip.series.times[k] + at for k in inside]
        values += [clip.series.values[k] for k in inside]
        at += clip.length_s
    level = np.concatenate([clip.level for clip in clips])

    def each(name: str, rate: int) -> NDArray[np.generic]:
        values = [getattr(clip, name) for clip in clips]
        lengths = [round(clip.length_s * rate) for clip in clips]
        return np.concatenate([_long(x, n) for x, n in zip(values, lengths, strict=True)])

    return Clip("+".join(c.name for c in clips), "+".join(c.person for c in clips),
                MouthSeries(times, values), level, each("voiced", VOICE_RATE),
                mfcc=each("mfcc", VOICE_RATE), motion=each("motion", MOUTH_RATE))  # fmt: skip


def _long(values: NDArray[np.generic], n: int) -> NDArray[np.generic]:
    """The first ``n`` values, with the last one repeated."""
    return values[np.minimum(np.arange(n), len(values) - 1)] if len(values) else values


def interpolated(series: MouthSeries) -> MouthSeries:
    """A mouth at 25 steps a second."""
    times = np.arange(series.times[0], series.times[-1], 1 / MOUTH_RATE)
    columns = [np.interp(times, series.times, column) for column in np.array(series.values).T]
    return MouthSeries(times.tolist(), list(zip(*columns, strict=True)))


def load_clips(folder: Path, model: SpeakerModel | None = None) -> list[Clip]:
    """All clips of one person; recorded once.

    The public speech has 12 frames a second, at which the package decides nothing. It is the only
    film of a listener: its mouths are interpolated, and for a speaker model its faces repeated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"talking/{name}.mpg": name for name in GRID}
    files |= {f"{name}.mp4": "ravdess 01" for name in (*RAVDESS, "samples/01-01-01-01-01-01-01")}
    files |= {f"corpora/cremad/1001_DFA_{name}_XX.flv": "cremad 1001" for name in CREMAD}
    files["samples/obama_speech.mp4"] = "obama"
    clips = []
    for file, person in files.items():
        mouths, wave = _kept(folder / f"{Path(file).stem}.pickle", record, SHARED / file)
        faces: dict[int, Float] = {}
        if model is not None:
            kept = folder / f"{Path(file).stem}.{model.sha256[:12]}.pickle"
            faces = _kept(kept, record_faces, SHARED / file, model)
        level, voiced = heard(wave)
        mfcc = coefficients(wave)
        none = np.zeros((0, 128), np.float32)
        if person != "obama":
            motion = faces.get(0, none)
            clips.append(Clip(Path(file).stem, person, mouths[0], level, voiced, wave=wave,
                              mfcc=mfcc, motion=motion))  # fmt: skip
            continue
        for number, (who, speaks) in enumerate((("listener", False), ("obama", True))):
            series, motion = interpolated(mouths[number]), faces.get(number, none)
            whole = Clip(who, who, series, level, voiced, speaks, mfcc=mfcc, motion=motion)
            clips += [part(whole, *times) for times in SPEECH_PARTS]
    return clips


def _kept(path: Path, made: Callable[..., Any], *arguments: object) -> Any:
    """What a function returned once, from a file."""
    if not path.exists():
        path.write_bytes(pickle.dumps(made(*arguments)))
    return pickle.loads(path.read_bytes())


def shifted(clip: Clip, seconds: float) -> Clip:
    """A clip whose sound is later by some seconds; the end comes first."""
    return replace(
        clip,
        level=np.roll(clip.level, round(seconds * MOUTH_RATE)),
        voiced=np.roll(clip.voiced, round(seconds * VOICE_RATE)),
        mfcc=np.roll(clip.mfcc, round(seconds * VOICE_RATE), axis=0),
    )
