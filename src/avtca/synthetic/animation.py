"""A synthetic speaker, and the frames of a clip in which they speak."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avtca.synthetic.face import (
    EXPRESSIONS,
    EYES,
    HAIRS,
    LEFT,
    SKINS,
    TOP,
    UNIT,
    Head,
    Looks,
    backdrop,
    eyes_at,
)
from avtca.synthetic.voice import Speech, Voice

Float = NDArray[np.float64]

HALF = 2
"""Frames are drawn at half of their size and scaled up."""
HEAD_UNIT = 0.208
"""Half a face's width as a share of the frame's height, as in RAVDESS."""


def make_speaker(speaker: int, seed: int) -> tuple[Voice, Looks]:
    """Voice and looks of a speaker; odd numbers are male, as in RAVDESS."""
    rng = np.random.default_rng([seed, speaker])
    male = speaker % 2 == 1
    voice = Voice(
        f0=float(rng.uniform(95, 140) if male else rng.uniform(175, 235)),
        tract=float((1.0 if male else 1.16) * rng.uniform(0.94, 1.06)),
        pace=float(rng.uniform(0.88, 1.12)),
        breath=float(rng.uniform(0.6, 1.6)),
        wording=int(np.random.default_rng([seed, speaker, 1]).integers(1 << 32)),
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
        lighting=int(np.random.default_rng([seed, speaker, 2]).integers(1 << 32)),
    )
    return voice, looks


@dataclass(frozen=True)
class _Motion:
    """Movement of head and face over a clip; arrays have one value per frame."""

    level: Float
    """How strongly the expression is shown."""
    roll: Float
    shift_x: Float
    shift_y: Float
    lean: Float
    gaze: Float
    blink: Float

    @classmethod
    def of(cls, emotion: str, strength: float, times: Float, rng: np.random.Generator) -> "_Motion":
        onset = np.clip((times - 0.1) / 0.4, 0, 1)
        level = strength * (0.25 + 0.75 * onset**2 * (3 - 2 * onset))
        lively = 0.6 + 0.6 * strength * (emotion not in {"neutral", "calm", "sad"})
        blink = np.zeros(len(times))
        for at in np.cumsum(rng.exponential(2.2, 8)) + 0.3:
            blink = np.maximum(blink, np.clip(1 - np.abs(times - at) / 0.09, 0, 1))
        return cls(
            level=level * (1 + 0.12 * _sway(times, rng, 0.9)),
            roll=0.05 * lively * _sway(times, rng, 0.5),
            shift_x=0.10 * lively * _sway(times, rng, 0.4),
            shift_y=0.05 * lively * _sway(times, rng, 0.6),
            lean=1 + 0.03 * lively * _sway(times, rng, 0.3),
            gaze=0.3 * _sway(times, rng, 0.7),
            blink=blink,
        )


def _sway(times: Float, rng: np.random.Generator, rate: float) -> Float:
    """A slow movement between -1 and 1: three sines with phases of their own."""
    phases, speeds = rng.uniform(0, 2 * np.pi, 3), rate * rng.uniform(0.6, 1.8, 3)
    waves = np.sin(2 * np.pi * speeds[:, None] * times + phases[:, None])
    out: Float = 0.5 * waves[0] + 0.3 * waves[1] + 0.2 * waves[2]
    return out


def animate(
    looks: Looks,
    emotion: str,
    strength: float,
    speech: Speech,
    times: Float,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Iterator[Image.Image]:
    """The frames at ``times`` seconds, at half of ``size`` (width, height)."""
    width, height = size[0] // HALF, size[1] // HALF
    unit = HEAD_UNIT * height
    light = float(rng.uniform(0.88, 1.05))
    head = Head(looks, light)
    wall = backdrop(looks, width, height, unit, light)
    motion = _Motion.of(emotion, strength, times, rng)
    opened, rounded = speech.mouth(times)
    loud = 0.25 + 0.27 * strength * (emotion in {"angry", "happy", "surprise", "fear"})
    rest = EXPRESSIONS[emotion]
    eye_x, eye_y = eyes_at(width, height)
    for k in range(len(times)):
        face = rest.scaled(float(motion.level[k]))
        jaw = max(0.7 * face.jaw, 0.3 * face.jaw + loud * float(opened[k]))
        picture = head.draw(
            replace(face, jaw=jaw),
            rounding=0.8 * float(rounded[k]),
            gaze=float(motion.gaze[k]),
            blink=float(motion.blink[k]),
        )
        centre = (
            eye_x + unit * float(motion.shift_x[k]),
            eye_y + unit * float(motion.shift_y[k] + 0.10 * face.nod - 0.03 * opened[k]),
        )
        scale = unit * float(motion.lean[k])
        yield _place(wall, picture, head.alpha, centre, float(motion.roll[k]), scale)


def _place(
    wall: Image.Image,
    head: Image.Image,
    alpha: Image.Image,
    centre: tuple[float, float],
    angle: float,
    unit: float,
) -> Image.Image:
    """Paste the head on the wall: eyes at ``centre``, turned ``angle`` radians, ``unit`` pixels."""
    reach_x, reach_y = 1.75 * unit, 2.2 * unit
    x0, y0 = int(max(0, centre[0] - reach_x)), int(max(0, centre[1] - reach_y))
    x1, y1 = int(min(wall.width, centre[0] + reach_x)), int(min(wall.height, centre[1] + reach_y))
    scale = UNIT / unit
    c, s = scale * float(np.cos(angle)), scale * float(np.sin(angle))
    dx, dy = x0 - centre[0], y0 - centre[1]
    matrix = (c, s, c * dx + s * dy - LEFT * UNIT, -s, c, -s * dx + c * dy - TOP * UNIT)
    box, affine, smooth = (x1 - x0, y1 - y0), Image.Transform.AFFINE, Image.Resampling.BILINEAR
    out = wall.copy()
    mask = alpha.transform(box, affine, matrix, smooth)
    out.paste(head.transform(box, affine, matrix, smooth), (x0, y0), mask)
    return out
