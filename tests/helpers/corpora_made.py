"""Specs and clips that the tests of this folder share."""

import wave
from pathlib import Path

import numpy as np

from avtca.clipspec import ClipSpec

FEATURES = ClipSpec(
    window_s=3.6,
    video_steps=36,
    video="features",
    video_features="expression7",
    video_dim=7,
    sample_rate=16_000,
    audio="logmel",
    audio_dim=20,
    n_fft=512,
    hop=320,
)
AUDIO = ClipSpec(window_s=1.0, video_steps=5, crop_px=32, sample_rate=8000, audio_dim=5, hop=200)
"""A spec whose samples are quick to make."""


def write_wav(path: Path, seconds: float = 0.5, rate: int = 8000, seed: int = 0) -> Path:
    """A voice-like buzz, another one for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    pitch = rng.uniform(90, 250)
    shape = rng.uniform(0, 1, 20)
    tone = sum(a * np.sin(2 * np.pi * pitch * (k + 1) * t) for k, a in enumerate(shape))
    steps = np.repeat(rng.uniform(0, 1, 20), -(-len(t) // 20))[: len(t)]
    samples = np.int16(0.5 * tone * steps / np.abs(tone).max() * 32767)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path
