"""The one door to model input: training, evaluation, the command line and the service use it.

Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio frames, ``c`` channels, ``f``
features. See docs/architecture.md for the global clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avtca.audio import features as audio_features
from avtca.clipspec import ClipSpec

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
Window = tuple[Float, Bool, Float, Bool]
"""``video``, ``video_mask``, ``audio``, ``audio_mask`` of one window."""


@dataclass(frozen=True)
class ModelInput:
    """A batch of windows.

    ``video``: float32 ``(b, t_v, c, h, w)`` face crops, 0..1, RGB or luma by the spec, or
    ``(b, t_v, f)`` features. ``video_mask``: bool ``(b, t_v)``, True where the step is real.
    ``audio``: float32 ``(b, f, t_a)``. ``audio_mask``: bool ``(b, t_a)``. A missing modality is
    a mask that is False everywhere.
    """

    video: Float
    video_mask: Bool
    audio: Float
    audio_mask: Bool

    def __len__(self) -> int:
        return len(self.video)


def window_start_steps(duration_s: float, spec: ClipSpec, hop_s: float | None = None) -> list[int]:
    """First video steps of the windows that cover a file of ``duration_s`` seconds.

    Windows are ``hop_s`` apart (half a window by default), rounded to whole steps, and the last
    one ends with the file, so that nothing is cut (a hop longer than a window skips what lies
    between). A file no longer than a window is one window from its start. Raises ``ValueError``
    for a hop that is not positive.
    """
    hop_s = spec.window_s / 2 if hop_s is None else hop_s
    if hop_s <= 0:
        raise ValueError(f"hop must be positive, found {hop_s} s")
    hop = max(1, round(hop_s * spec.video_rate))
    total = int(np.ceil(duration_s * spec.video_rate - 1e-6))
    last = max(0, total - spec.video_steps)
    starts = list(range(0, last, hop))
    return [*starts, last]


def video_window(
    steps: NDArray[np.int64], values: NDArray[np.generic], start_step: int, spec: ClipSpec
) -> tuple[Float, Bool]:
    """Video steps of one window.

    ``steps (n,)`` are global step numbers, ascending; ``values (n, h, w[, 3])`` uint8 crops or
    ``(n, f)`` features. Values that share a step are averaged (a 30 Hz series on a 10 Hz clock).
    Returns ``(t_v, c, h, w)`` in 0..1 or ``(t_v, f)``, and the mask ``(t_v,)``. Raises
    ``ValueError`` where a value's shape is not the spec's, or crops are not uint8.
    """
    out = np.zeros((spec.video_steps, *spec.step_shape), np.float32)
    count = np.zeros(spec.video_steps, np.int64)
    local = np.asarray(steps, np.int64) - start_step
    inside = np.flatnonzero((local >= 0) & (local < spec.video_steps))
    if len(inside):
        for step, value in zip(local[inside], _steps_first(values[inside], spec), strict=True):
            out[step] += value
            count[step] += 1
    for step in np.flatnonzero(count > 1):
        out[step] /= count[step]
    return out, count > 0


def _steps_first(values: NDArray[np.generic], spec: ClipSpec) -> Float:
    if spec.video == "pixels":
        if values.dtype != np.uint8:
            raise ValueError(f"face crops are uint8 0..255, found {values.dtype}")
        crops = values.astype(np.float32) / np.float32(255)
        crops = crops[:, None] if crops.ndim == 3 else np.moveaxis(crops, -1, 1)
        values = crops
    if values.shape[1:] != spec.step_shape:
        raise ValueError(f"video step of shape {values.shape[1:]}, ClipSpec has {spec.step_shape}")
    return values.astype(np.float32)


def audio_window(wave: Float, spec: ClipSpec, *, valid: int | None = None) -> tuple[Float, Bool]:
    """Audio of one window: ``wave (n,)`` is the window's samples, at most a window long.

    Only the first ``valid`` samples are real (default: all of the wave); what follows is taken
    as zeros, and frames whose centre lies there are masked and zero. ``valid=0`` masks the audio
    altogether. Returns ``(f, t_a)`` and the mask ``(t_a,)``. Raises ``ValueError`` for a wave
    that is not floating point ``(n,)`` or longer than a window, or ``valid`` outside of ``0..n``.
    """
    n = spec.window_samples
    if wave.ndim != 1 or wave.dtype.kind != "f":
        raise ValueError(f"a floating point wave (n,) is needed, found {wave.dtype} {wave.shape}")
    if len(wave) > n:
        raise ValueError(f"{len(wave)} samples given for a window of {n}")
    valid = len(wave) if valid is None else valid
    if not 0 <= valid <= len(wave):
        raise ValueError(f"{valid} valid samples in a wave of {len(wave)}")
    mask = np.arange(spec.audio_steps) * spec.hop < valid
    if not mask.any():
        return np.zeros((spec.audio_dim, spec.audio_steps), np.float32), mask
    padded = np.zeros(n, np.float32)
    padded[:valid] = wave[:valid]
    out = audio_features(padded, spec)
    return np.where(mask, out, np.float32(0)), mask


def audio_series_window(
    times_s: NDArray[np.float64], values: Float, start_s: float, spec: ClipSpec
) -> tuple[Float, Bool]:
    """Audio features that a corpus ships, on the frames of one window.

    ``times_s (n,)`` are seconds from the start of the sample, ``values (f, n)``. Frame ``j`` of the
    window is centred on ``start_s + j * hop / sample_rate`` and holds the mean of the values
    within half a frame of it; frames without one are masked and zero. Returns ``(f, t_a)`` and
    the mask ``(t_a,)``. Raises ``ValueError`` where ``f`` is not the spec's.
    """
    if values.shape != (spec.audio_dim, len(times_s)):
        raise ValueError(f"audio features {values.shape} for {spec.audio_dim} x {len(times_s)}")
    out = np.zeros((spec.audio_dim, spec.audio_steps), np.float32)
    frames = np.floor((times_s - start_s) * spec.sample_rate / spec.hop + 0.5 + 1e-6).astype(int)
    inside = np.flatnonzero((frames >= 0) & (frames < spec.audio_steps))
    count = np.bincount(frames[inside], minlength=spec.audio_steps)
    np.add.at(out.T, frames[inside], values[:, inside].T)
    out /= np.maximum(count, 1)
    return out, count > 0


def stack(windows: Sequence[Window]) -> ModelInput:
    """One batch from ``(video, video_mask, audio, audio_mask)`` of each window."""
    video, video_mask, audio, audio_mask = (np.stack(part) for part in zip(*windows, strict=True))
    return ModelInput(video, video_mask, audio, audio_mask)
