"""A take played faster or slower, picture and sound together; shape legend as in windows."""

import math
from dataclasses import replace

import numpy as np

from avtca.audio.augment import speed as resample_speed
from avtca.clipspec import ClipSpec
from avtca.corpora.sample_file import RawTake


def vary_speed(raw: RawTake, factor: float, spec: ClipSpec) -> RawTake:
    """A take played ``factor`` times as fast, picture and sound alike.

    Each new video step shows what the take showed at the middle of it; where that was missing it
    is missing. The pitch of the sound moves along. Raises ``ValueError`` for a factor that is not
    positive.
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
    times = None if raw.sound_times is None else raw.sound_times / factor
    return replace(
        raw,
        steps=steps.astype(np.int64),
        visual=raw.visual[gather.astype(np.int64)],
        wave=wave,
        duration_s=duration,
        sound_times=times,
    )
