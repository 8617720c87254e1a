"""Speed perturbation of video and audio together."""

import math
from dataclasses import replace

import numpy as np

from avtca.audio.augment import speed as resample_speed
from avtca.clipspec import ClipSpec
from avtca.preprocess import RawSample


def vary_speed(raw: RawSample, factor: float, spec: ClipSpec) -> RawSample:
    """A sample played ``factor`` times as fast; the pitch of the audio changes with it.

    Each video step shows what the sample shows at the step's middle, nothing where that is
    missing.

    Raises:
        ValueError: If the factor is not positive.
    """
    wave = resample_speed(raw.wave, factor)
    duration = raw.duration_s / factor
    old = np.arange(math.ceil(duration * spec.video_rate - 1e-6)) + 0.5
    shown = np.floor(old * factor + 1e-9).astype(np.int64)
    first = np.searchsorted(raw.steps, shown, side="left")
    last = np.searchsorted(raw.steps, shown, side="right")
    rows = [np.arange(a, b) for a, b in zip(first, last, strict=True)]
    gather = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    steps = np.repeat(np.arange(len(shown)), last - first)
    times = None if raw.audio_times is None else raw.audio_times / factor
    return replace(
        raw,
        steps=steps.astype(np.int64),
        video=raw.video[gather.astype(np.int64)],
        wave=wave,
        duration_s=duration,
        audio_times=times,
    )
