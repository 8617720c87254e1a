"""Synthetic clips: a drawn, moving face and a synthetic voice, in RAVDESS's layout.

For smoke trainings, load tests and demonstrations without a corpus. Everything made here is
synthetic and its files say so in their title; what a network scores on them says nothing about
people.
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from avtca.corpora.synth_face import (
    EXPRESSIONS,
    EYES,
    HAIRS,
    LEFT,
    SKINS,
    TOP,
    UNIT,
    Expression,
    Head,
    Looks,
    backdrop,
    eyes_at,
)
from avtca.corpora.synth_voice import RATE, Speech, Voice, speak
from avtca.errors import CorpusError
from avtca.labels import RAVDESS, canonical

TITLE = "synthetic"
"""Title in every file's metadata."""
VERSION = 1
"""Goes up when the same seed would give other clips."""
MAX_SPEAKERS = 99
HALF = 2
"""The picture is drawn at one half of its size and scaled up."""


@dataclass(frozen=True)
class Take:
    """One take in RAVDESS's coding; all numbers from 1, ``emotion`` a position in RAVDESS + 1."""

    emotion: int
    intensity: int
    statement: int
    repetition: int
    speaker: int

    @property
    def name(self) -> str:
        """File name, ``01-01-EE-II-SS-RR-AA.mp4``."""
        parts = (1, 1, self.emotion, self.intensity, self.statement, self.repetition, self.speaker)
        return "-".join(f"{part:02d}" for part in parts) + ".mp4"


@dataclass(frozen=True)
class SynthSummary:
    """What :func:`synth_corpus` did: clips ``made`` now, and ``kept`` from an earlier run."""

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
    take: int = 0,
) -> Path:
    """Write one synthetic clip (mp4: H.264 and AAC) and return its path.

    ``emotion`` is a label of RAVDESS; ``speaker`` with ``seed`` makes the person (odd numbers have
    male voices, as in RAVDESS), ``take`` what varies between takes; ``strength`` 1 is strong, 0
    neutral; ``size`` is (width, height), both even. The same arguments give the same file, byte
    for byte, on the same machine. The file appears whole or not at all. Raises ``ValueError`` for
    arguments that cannot be, :class:`CorpusError` where the file cannot be written.
    """
    path = Path(path)
    emotion = canonical(emotion)
    if emotion not in EXPRESSIONS:
        raise ValueError(f"emotion must be one of {', '.join(RAVDESS)}, found {emotion!r}")
    width, height = size
    if width % 2 or height % 2 or width < 64 or height < 64:
        raise ValueError(f"size must be even numbers from 64 up, found {width} x {height}")
    if seconds < 0.3 or fps < 1 or speaker < 1 or seed < 0 or not 0 <= strength <= 1.5:
        raise ValueError(
            f"need seconds >= 0.3, fps >= 1, speaker >= 1, seed >= 0, strength 0..1.5; found "
            f"{seconds}, {fps}, {speaker}, {seed}, {strength}"
        )
    voice, looks = person(speaker, seed)
    rng = np.random.default_rng([seed, speaker, RAVDESS.index(emotion), statement, take, 1])
    speech = speak(voice, emotion, statement=statement, strength=strength, seconds=seconds, rng=rng)
    pictures = _pictures(looks, emotion, strength, speech, seconds, size, fps, rng)
    _write(path, pictures, speech, size, fps)
    return path


def person(speaker: int, seed: int) -> tuple[Voice, Looks]:
    """Voice and looks of a speaker; odd numbers are male voices."""
    rng = np.random.default_rng([seed, speaker])
    male = speaker % 2 == 1
    voice = Voice(
        f0=float(rng.uniform(95, 140) if male else rng.uniform(175, 235)),
        tract=float((1.0 if male else 1.16) * rng.uniform(0.94, 1.06)),
        pace=float(rng.uniform(0.88, 1.12)),
        breath=float(rng.uniform(0.6, 1.6)),
    )
    wall = rng.integers(150, 246) + rng.integers(-12, 10, 3)
    shirt = rng.integers(20, 150, 3)
    looks = Looks(
        skin=SKINS[int(rng.integers(len(SKINS)))],
        hair=HAIRS[int(rng.integers(len(HAIRS)))],
        iris=EYES[int(rng.integers(len(EYES)))],
        shirt=(int(shirt[0]), int(shirt[1]), int(shirt[2])),
        wall=(int(wall[0]), int(wall[1]), int(wall[2])),
        long_hair=bool(rng.random() < (0.1 if male else 0.85)),
        jaw=float(rng.uniform(2.4, 3.2) if male else rng.uniform(2.0, 2.5)),
        fringe=float(rng.uniform(0.75, 1.1)),
        eye_gap=float(rng.uniform(0.45, 0.51)),
        eye_size=float(rng.uniform(0.92, 1.1) * (1.0 if male else 1.08)),
        brow=float(rng.uniform(0.9, 1.3) if male else rng.uniform(0.55, 0.85)),
        mouth=float(rng.uniform(0.9, 1.1)),
        lips=float(rng.uniform(0.75, 1.1) if male else rng.uniform(1.0, 1.35)),
        stubble=float(rng.choice([0.0, 0.3, 0.8])) if male else 0.0,
    )
    return voice, looks


def _pictures(
    looks: Looks,
    emotion: str,
    strength: float,
    speech: Speech,
    seconds: float,
    size: tuple[int, int],
    fps: int,
    rng: np.random.Generator,
) -> Iterator[Image.Image]:
    """The pictures of a clip at half its size."""
    width, height = size[0] // HALF, size[1] // HALF
    unit = 0.208 * height
    light = float(rng.uniform(0.88, 1.05))
    head = Head(looks, light)
    wall = backdrop(looks, width, height, unit, light)
    times = np.arange(max(1, round(seconds * fps))) / fps
    opened, rounded = speech.mouth(times)
    loud = 0.45 + 0.5 * strength * (emotion in {"angry", "happy", "surprise", "fear"})
    onset = np.clip((times - 0.1) / 0.4, 0, 1)
    level = strength * (0.25 + 0.75 * onset**2 * (3 - 2 * onset))
    level = level * (1 + 0.12 * _sway(times, rng, 0.9))
    roll, shift_x, shift_y = (_sway(times, rng, rate) for rate in (0.5, 0.4, 0.6))
    gaze, lean = _sway(times, rng, 0.7), _sway(times, rng, 0.3)
    lively = 0.6 + 0.6 * strength * (emotion not in {"neutral", "calm", "sad"})
    blinks = np.zeros(len(times))
    for at in np.cumsum(rng.exponential(2.2, 8)) + 0.3:
        blinks = np.maximum(blinks, np.clip(1 - np.abs(times - at) / 0.09, 0, 1))
    base = EXPRESSIONS[emotion]
    eye_x, eye_y = eyes_at(width, height)
    for k in range(len(times)):
        face = base.scaled(float(level[k]))
        talk = float(opened[k]) * loud
        face = Expression(
            **{**vars(face), "jaw": max(face.jaw * 0.7, talk * 0.55 + 0.3 * face.jaw)}
        )
        picture = head.draw(
            face,
            rounding=float(rounded[k]) * 0.8,
            gaze=float(gaze[k]) * 0.3,
            blink=float(blinks[k]),
        )
        centre = (
            eye_x + unit * 0.10 * lively * shift_x[k],
            eye_y + unit * (0.05 * lively * shift_y[k] + 0.10 * face.nod - 0.03 * opened[k]),
        )
        angle = 0.05 * lively * roll[k]
        yield _place(wall, picture, head.alpha, centre, angle, unit * (1 + 0.03 * lively * lean[k]))


def _sway(times: np.ndarray, rng: np.random.Generator, rate: float) -> np.ndarray:
    """A slow movement between about -1 and 1: three sines with phases of their own."""
    phases, speeds = rng.uniform(0, 2 * np.pi, 3), rate * rng.uniform(0.6, 1.8, 3)
    waves = np.sin(2 * np.pi * speeds[:, None] * times + phases[:, None])
    return waves.T @ np.array([0.5, 0.3, 0.2])


def _place(
    wall: Image.Image,
    head: Image.Image,
    alpha: Image.Image,
    centre: tuple[float, float],
    angle: float,
    unit: float,
) -> Image.Image:
    """The head on the wall: eyes at ``centre``, turned by ``angle`` radians, ``unit`` pixels."""
    reach = 2.35 * unit
    x0, y0 = int(max(0, centre[0] - reach)), int(max(0, centre[1] - reach))
    x1 = int(min(wall.width, centre[0] + reach))
    y1 = int(min(wall.height, centre[1] + reach))
    scale = UNIT / unit
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    dx, dy = x0 - centre[0], y0 - centre[1]
    matrix = (c, s, c * dx + s * dy - LEFT * UNIT, -s, c, -s * dx + c * dy - TOP * UNIT)
    box = (x1 - x0, y1 - y0)
    how, smooth = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    out = wall.copy()
    out.paste(
        head.transform(box, how, matrix, smooth),
        (x0, y0),
        alpha.transform(box, how, matrix, smooth),
    )
    return out
