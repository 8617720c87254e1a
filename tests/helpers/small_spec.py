"""The small description of clips that bundles and fine-tuning are tested with."""

from avtca.clipspec import ClipSpec

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
