"""A few real RAVDESS samples as network input, for the benchmarks and tests of the networks."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from avtca.clipspec import ClipSpec
from avtca.labels import RAVDESS
from avtca.media import open_media
from avtca.preprocess import ModelInput, audio_window, stack, video_window

FEATURES = ClipSpec(
    video_steps=36,
    video="features",
    video_features="expression7",
    video_dim=7,
    sample_rate=16_000,
    audio="logmel",
    audio_dim=64,
    n_fft=400,
    hop=160,
    labels=RAVDESS,
)
"""Audio as log-mel, faces as series of seven probabilities."""
PITCH = replace(FEATURES, audio="logmel+pitch", audio_dim=66, n_fft=1024, hop=320)
"""Audio of `experts` in the RAVDESS table and of the packaged model."""


def pixels(crop_px: int = 64, video_steps: int = 4) -> ClipSpec:
    """The paper's audio, and small RGB crops."""
    return ClipSpec(crop_px=crop_px, video_steps=video_steps, labels=RAVDESS)


def feature_samples(
    ravdess: Path, n: int, spec: ClipSpec = FEATURES
) -> tuple[ModelInput, np.ndarray]:
    """The first ``n`` samples, cycling through emotions and actors, and label codes ``(n,)``."""
    windows, codes = [], []
    sequences = np.load(ravdess / "face_sequences.npz")
    for index in range(n):
        code, actor = index % 8, 1 + index % 24
        sample = f"01-01-{code + 1:02}-01-{1 + index // 8 % 2:02}-01-{actor:02}"
        times = (sequences[f"{sample}/frames"] - 1) / 29.97
        steps = (times * spec.video_rate).astype(np.int64)
        windows.append(
            (
                *video_window(steps, sequences[f"{sample}/p"], 0, spec),
                *audio_window(_wave(ravdess, sample, spec), spec),
            )
        )
        codes.append(code)
    return stack(windows), np.array(codes)


def pixel_samples(ravdess: Path, n: int, spec: ClipSpec) -> tuple[ModelInput, np.ndarray]:
    """``n`` samples of actor 01 with images, evenly over the seven available emotions."""
    archive = zipfile.ZipFile(ravdess / "actor01_faces.zip")
    samples = sorted({name.split("/")[0] for name in archive.namelist() if name.endswith(".jpg")})
    samples.sort(key=lambda sample: (sample[12:20], sample))
    windows, codes = [], []
    for sample in samples[:n]:
        names = sorted(name for name in archive.namelist() if name.startswith(f"{sample}/"))
        wave = _wave(ravdess, sample, spec, whole=True)
        pictures = [_crop(archive.read(name), spec) for name in names]
        seconds = (np.arange(len(names)) + 0.5) / len(names) * len(wave) / spec.sample_rate
        steps = (seconds * spec.video_rate).astype(np.int64)
        kept = np.unique(steps, return_index=True)[1]
        crops = np.stack([pictures[i] for i in kept])
        windows.append(
            (
                *video_window(steps[kept], crops, 0, spec),
                *audio_window(wave[: spec.window_samples], spec),
            )
        )
        codes.append(int(sample[6:8]) - 1)
    return stack(windows), np.array(codes)


def _wave(ravdess: Path, sample: str, spec: ClipSpec, *, whole: bool = False) -> np.ndarray:
    clip = open_media(ravdess / "audio" / f"03{sample[2:]}.flac")
    wave = np.concatenate(list(clip.audio(spec.sample_rate)))
    return wave if whole else wave[: spec.window_samples]


def _crop(data: bytes, spec: ClipSpec) -> np.ndarray:
    mode = "RGB" if spec.colour == "rgb" else "L"
    picture = Image.open(io.BytesIO(data)).convert(mode)
    return np.asarray(picture.resize((spec.crop_px, spec.crop_px)))
