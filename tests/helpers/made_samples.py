"""Small made samples whose label can be heard and seen."""

import numpy as np

from avtca.clipspec import ClipSpec
from avtca.data.dataset import EmotionDataset
from avtca.preprocess import RawSample

LABELS = ("low", "middle", "high")
SPEC = ClipSpec(
    window_s=1.0,
    video_steps=10,
    video="features",
    video_features="made",
    video_dim=3,
    sample_rate=8000,
    audio="logmel",
    audio_dim=16,
    n_fft=256,
    hop=80,
    labels=LABELS,
)


def make_samples(n: int = 24, *, spec: ClipSpec = SPEC, seed: int = 0) -> EmotionDataset:
    """``n`` samples of 0.8 to 1.7 s: pitch and mean of the features tell the label."""
    rng = np.random.default_rng(seed)
    names, speakers, durations, labels, raws = [], [], [], [], []
    for i in range(n):
        label = i % len(LABELS)
        seconds = 0.8 + 0.9 * (i / n)
        time = np.arange(round(seconds * spec.sample_rate)) / spec.sample_rate
        wave = np.sin(2 * np.pi * (300 + 700 * label) * time) * 0.3
        wave += rng.standard_normal(len(time)) * 0.02
        steps = np.arange(int(seconds * spec.video_rate))
        video = rng.standard_normal((len(steps), spec.video_dim)) * 0.5
        video[:, label] += 1
        raws.append(RawSample(steps, video.astype(np.float32), wave.astype(np.float32), seconds))
        names.append(f"take{i:02d}")
        speakers.append(f"s{i % 4}")
        durations.append(seconds)
        labels.append(label)
    targets = np.eye(len(LABELS), dtype=np.float32)[labels]
    return EmotionDataset(spec, names, speakers, durations, targets, raws)
