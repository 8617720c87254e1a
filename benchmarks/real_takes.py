"""A few real RAVDESS takes as network input, for the benchmarks and tests of the networks."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from avtca.clipspec import ClipSpec
from avtca.labels import RAVDESS
from avtca.media import open_clip
from avtca.preprocess import ModelInput, sound_window, stack, visual_window

FEATURES = ClipSpec(
    video_steps=36,
    visual="features",
    visual_features="expression7",
    visual_dim=7,
    sample_rate=16_000,
    sound="logmel",
    sound_dim=64,
    n_fft=400,
    hop=160,
    labels=RAVDESS,
)
"""Sound as log-mel, faces as series of seven probabilities."""
PITCH = replace(FEATURES, sound="logmel+pitch", sound_dim=66, n_fft=1024, hop=320)
"""What `best` of the RAVDESS table and the packaged model hear."""


def pixels(crop_px: int = 64, video_steps: int = 4) -> ClipSpec:
    """The paper's sound, and small RGB crops."""
    return ClipSpec(crop_px=crop_px, video_steps=video_steps, labels=RAVDESS)


def feature_takes(
    ravdess: Path, n: int, spec: ClipSpec = FEATURES
) -> tuple[ModelInput, np.ndarray]:
    """The first ``n`` takes, emotion after emotion, each of another actor; codes ``(n,)``."""
    windows, codes = [], []
    sequences = np.load(ravdess / "face_sequences.npz")
    for index in range(n):
        code, actor = index % 8, 1 + index % 24
        take = f"01-01-{code + 1:02}-01-{1 + index // 8 % 2:02}-01-{actor:02}"
        times = (sequences[f"{take}/frames"] - 1) / 29.97
        steps = (times * spec.video_rate).astype(np.int64)
        windows.append(
            (
                *visual_window(steps, sequences[f"{take}/p"], 0, spec),
                *sound_window(_wave(ravdess, take, spec), spec),
            )
        )
        codes.append(code)
    return stack(windows), np.array(codes)


def pixel_takes(ravdess: Path, n: int, spec: ClipSpec) -> tuple[ModelInput, np.ndarray]:
    """``n`` takes of actor 01 with their pictures, evenly over the seven emotions there are."""
    archive = zipfile.ZipFile(ravdess / "actor01_faces.zip")
    takes = sorted({name.split("/")[0] for name in archive.namelist() if name.endswith(".jpg")})
    takes.sort(key=lambda take: (take[12:20], take))
    windows, codes = [], []
    for take in takes[:n]:
        names = sorted(name for name in archive.namelist() if name.startswith(f"{take}/"))
        wave = _wave(ravdess, take, spec, whole=True)
        pictures = [_crop(archive.read(name), spec) for name in names]
        seconds = (np.arange(len(names)) + 0.5) / len(names) * len(wave) / spec.sample_rate
        steps = (seconds * spec.video_rate).astype(np.int64)
        kept = np.unique(steps, return_index=True)[1]
        crops = np.stack([pictures[i] for i in kept])
        windows.append(
            (
                *visual_window(steps[kept], crops, 0, spec),
                *sound_window(wave[: spec.window_samples], spec),
            )
        )
        codes.append(int(take[6:8]) - 1)
    return stack(windows), np.array(codes)


def _wave(ravdess: Path, take: str, spec: ClipSpec, *, whole: bool = False) -> np.ndarray:
    clip = open_clip(ravdess / "audio" / f"03{take[2:]}.flac")
    wave = np.concatenate(list(clip.sound(spec.sample_rate)))
    return wave if whole else wave[: spec.window_samples]


def _crop(data: bytes, spec: ClipSpec) -> np.ndarray:
    mode = "RGB" if spec.colour == "rgb" else "L"
    picture = Image.open(io.BytesIO(data)).convert(mode)
    return np.asarray(picture.resize((spec.crop_px, spec.crop_px)))
