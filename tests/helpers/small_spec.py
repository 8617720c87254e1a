"""Small descriptions of clips for tests: of bundles and fine-tuning, and of the recognizer."""

from avtca.clipspec import ClipSpec
from avtca.labels import SEVEN

SPEC = ClipSpec(
    window_s=0.8,
    video_steps=8,
    video="features",
    video_features="expression7",
    video_dim=7,
    sample_rate=16_000,
    audio="logmel",
    audio_dim=16,
    n_fft=512,
    hop=320,
    labels=("happy", "neutral", "sad"),
)

RECOGNIZER_SPEC = ClipSpec(
    window_s=1.6,
    video_steps=16,
    video="features",
    video_features="test",
    video_dim=5,
    sample_rate=16_000,
    audio="logmel",
    audio_dim=16,
    n_fft=512,
    hop=160,
    labels=SEVEN,
)
