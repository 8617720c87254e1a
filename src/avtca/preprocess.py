"""Model input from decoded media, the same for training, evaluation, command line and service.

:class:`WindowExtractor` cuts the windows of a :class:`RawSample`; the functions below make one
window of each modality. Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio frames,
``c`` channels, ``f`` features. See docs/architecture.md for the global clock.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.audio import features as audio_features
from avtca.audio import high_pass
from avtca.audio.speech import loud_tokens, speech_tokens
from avtca.clipspec import SPEECH, ClipSpec

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
Window = tuple[Float, Bool, Float, Bool]
"""``video``, ``video_mask``, ``audio``, ``audio_mask`` of one window."""


@dataclass(frozen=True)
class RawSample:
    """A decoded sample on the global clock, before windows are cut.

    A missing modality has no steps, samples or frames.

    Attributes:
        steps: int64 ``(n,)``, ascending video steps; features may repeat a step.
        video: uint8 face crops ``(n, px, px[, 3])``, RGB or luma, or float32 features ``(n, f)``.
        wave: float32 ``(m,)``, mono at the spec's sample rate; empty where a corpus ships audio
            features.
        duration_s: Length in seconds.
        audio: Shipped audio features, float32 ``(f, k)``.
        audio_times: Seconds from the start of the sample of each of them, ``(k,)``.
    """

    steps: NDArray[np.int64]
    video: NDArray[Any]
    wave: Float
    duration_s: float
    audio: Float | None = None
    audio_times: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class ModelInput:
    """A batch of windows. A missing modality has a mask that is False everywhere.

    Attributes:
        video: float32 face crops ``(b, t_v, c, h, w)`` in 0..1, RGB or luma by the spec, or
            features ``(b, t_v, f)``.
        video_mask: bool ``(b, t_v)``, True where the step is real.
        audio: float32 ``(b, f, t_a)``.
        audio_mask: bool ``(b, t_a)``.
    """

    video: Float
    video_mask: Bool
    audio: Float
    audio_mask: Bool

    def __len__(self) -> int:
        return len(self.video)


@dataclass(frozen=True)
class WindowExtractor:
    """Cuts samples into the windows of a :class:`ClipSpec`."""

    spec: ClipSpec

    def starts(self, duration_s: float, hop_s: float | None = None) -> list[int]:
        """First video step of each window of a file, see :func:`window_start_steps`."""
        return window_start_steps(duration_s, self.spec, hop_s)

    def first_sample(self, step: int) -> int:
        """Index of the waveform at which a video step starts."""
        return round(step / self.spec.video_rate * self.spec.sample_rate)

    def wave(self, sample: RawSample, start_step: int) -> Float:
        """The waveform of one window, shorter where the file ends first."""
        first = self.first_sample(start_step)
        return sample.wave[first : first + self.spec.window_samples]

    def video(self, sample: RawSample, start_step: int) -> tuple[Float, Bool]:
        """Video steps of one window and their mask, see :func:`video_window`."""
        return video_window(sample.steps, sample.video, start_step, self.spec)

    def audio(self, sample: RawSample, start_step: int) -> tuple[Float, Bool]:
        """Audio features of one window and their mask, computed or as the corpus ships them."""
        if sample.audio is None or sample.audio_times is None:
            return audio_window(self.wave(sample, start_step), self.spec)
        start_s = start_step / self.spec.video_rate
        return audio_series_window(sample.audio_times, sample.audio, start_s, self.spec)

    def window(self, sample: RawSample, start_step: int) -> Window:
        """The window that starts at a video step."""
        return (*self.video(sample, start_step), *self.audio(sample, start_step))

    def windows(self, sample: RawSample, hop_s: float | None = None) -> ModelInput:
        """All windows of a sample."""
        starts = self.starts(sample.duration_s, hop_s)
        return stack([self.window(sample, start) for start in starts])


def window_starts(
    window: int, hop: int, reaches_past: Callable[[int], bool], total: Callable[[], int]
) -> Iterator[int]:
    """First video steps of the windows of a file whose length may not be known yet.

    Args:
        window: Video steps of a window.
        hop: Video steps from one window to the next. The last window ends with the file.
        reaches_past: Whether the file continues after a step.
        total: Video steps of the file; called once ``reaches_past`` has returned False.
    """
    start, last = 0, -1
    while reaches_past(start + window):
        yield start
        last, start = start, start + hop
    if (final := max(0, total() - window)) != last:
        yield final


def window_start_steps(duration_s: float, spec: ClipSpec, hop_s: float | None = None) -> list[int]:
    """First video steps of the windows that cover a file.

    The last window ends with the file, so that nothing is cut. A hop longer than a window leaves
    gaps. A file no longer than a window is one window.

    Args:
        duration_s: Length of the file in seconds.
        spec: Size of the windows.
        hop_s: Seconds from one window to the next, rounded to whole steps; half a window by
            default.

    Raises:
        ValueError: If the hop is not positive.
    """
    hop_s = spec.window_s / 2 if hop_s is None else hop_s
    if hop_s <= 0:
        raise ValueError(f"hop must be positive, found {hop_s} s")
    hop = max(1, round(hop_s * spec.video_rate))
    total = int(np.ceil(duration_s * spec.video_rate - 1e-6))
    return list(window_starts(spec.video_steps, hop, lambda end: end < total, lambda: total))


def video_window(
    steps: NDArray[np.int64], values: NDArray[np.generic], start_step: int, spec: ClipSpec
) -> tuple[Float, Bool]:
    """Video steps of one window.

    Args:
        steps: Global step numbers ``(n,)``, ascending. Values that share a step are averaged (a
            30 Hz series on a 10 Hz clock).
        values: uint8 crops ``(n, h, w[, 3])`` or features ``(n, f)``.
        start_step: First step of the window.
        spec: Size and content of the window.

    Returns:
        Crops ``(t_v, c, h, w)`` in 0..1 or features ``(t_v, f)``, and the mask ``(t_v,)``.

    Raises:
        ValueError: If the shape of a value is not the spec's, or crops are not uint8.
    """
    out = np.zeros((spec.video_steps, *spec.step_shape), np.float32)
    count = np.zeros(spec.video_steps, np.int64)
    local = np.asarray(steps, np.int64) - start_step
    inside = np.flatnonzero((local >= 0) & (local < spec.video_steps))
    if len(inside):
        for step, value in zip(local[inside], _to_float(values[inside], spec), strict=True):
            out[step] += value
            count[step] += 1
    for step in np.flatnonzero(count > 1):
        out[step] /= count[step]
    return out, count > 0


def _to_float(values: NDArray[np.generic], spec: ClipSpec) -> Float:
    if spec.video == "pixels":
        if values.dtype != np.uint8:
            raise ValueError(f"face crops are uint8 0..255, found {values.dtype}")
        crops = values.astype(np.float32) / np.float32(255)
        crops = crops[:, None] if crops.ndim == 3 else np.moveaxis(crops, -1, 1)
        values = crops
    if values.shape[1:] != spec.step_shape:
        raise ValueError(f"video step of shape {values.shape[1:]}, ClipSpec has {spec.step_shape}")
    return values.astype(np.float32)


def audio_window(
    wave: Float, spec: ClipSpec, *, valid: int | None = None, filtered: bool = False
) -> tuple[Float, Bool]:
    """Audio features of one window.

    Args:
        wave: Waveform of the window, floating point ``(n,)``, at most a window long.
        spec: Size of the window and kind of features.
        valid: Number of leading samples that are real, all by default. The others are taken as
            zeros, and frames centred on them are masked and zero. 0 masks the audio altogether.
        filtered: Whether the high-pass filter was applied already, where the spec has it.

    Returns:
        Features ``(f, t_a)`` and the mask ``(t_a,)``.

    Raises:
        ValueError: If the wave has another shape or type or is too long, or ``valid`` is not in
            ``0..n``.
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
    real = wave[:valid]
    if spec.high_pass and not filtered:
        real = high_pass(real, spec.sample_rate)
    if spec.audio == SPEECH:  # of the real samples alone: attention sees all that it is given
        out = np.zeros((spec.audio_dim, spec.audio_steps), np.float32)
        out[:, mask] = speech_tokens(real)
        mask[mask] = loud_tokens(real)
        return np.where(mask, out, np.float32(0)), mask
    padded = np.zeros(n, np.float32)
    padded[:valid] = real
    return np.where(mask, audio_features(padded, spec), np.float32(0)), mask


def audio_series_window(
    times_s: NDArray[np.float64], values: Float, start_s: float, spec: ClipSpec
) -> tuple[Float, Bool]:
    """Audio features that a corpus ships, on the frames of one window.

    Frame ``j`` of the window is centred on ``start_s + j * hop / sample_rate`` and holds the mean
    of the values within half a frame of it. Frames without a value are masked and zero.

    Args:
        times_s: Seconds from the start of the sample ``(n,)``.
        values: Features ``(f, n)``.
        start_s: Start of the window in seconds.
        spec: Size of the window and number of features.

    Returns:
        Features ``(f, t_a)`` and the mask ``(t_a,)``.

    Raises:
        ValueError: If the number of features is not the spec's.
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
    """Windows as one batch."""
    video, video_mask, audio, audio_mask = (np.stack(part) for part in zip(*windows, strict=True))
    return ModelInput(video, video_mask, audio, audio_mask)
