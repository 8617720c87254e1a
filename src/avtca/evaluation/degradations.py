"""Degradations of samples: a missing modality, noise, reverberation, codecs, occlusion and others.

A degradation changes the recorded sample, before windows are cut. Random choices depend on the name
of the sample alone, so that every model sees the same degraded samples.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.audio.augment import add_noise, reverberate, shift, telephone
from avtca.clipspec import ClipSpec
from avtca.data.dataset import EmotionDataset, LazySamples, WindowCache
from avtca.evaluation.report import Modality
from avtca.preprocess import RawSample

Float32Array = NDArray[np.float32]
Degrade = Callable[[RawSample, ClipSpec, Any, np.random.Generator], RawSample]
REMOVED: dict[Modality, str] = {"both": "", "audio only": "video", "video only": "audio"}
"""Remaining modalities -> the modality that is removed."""


class TransformedSamples(LazySamples):
    """Samples with a function applied on access; the last one is cached."""

    def __init__(
        self, samples: Sequence[RawSample], transform: Callable[[RawSample, int], RawSample]
    ) -> None:
        super().__init__(self._transformed, range(len(samples)))
        self.samples, self.transform = samples, transform
        self._last: tuple[int, RawSample] | None = None

    def _transformed(self, index: int) -> RawSample:
        if self._last is None or self._last[0] != index:
            self._last = index, self.transform(self.samples[index], index)
        return self._last[1]


def remove_modality(dataset: EmotionDataset, modality: str) -> EmotionDataset:
    """The data set without one modality: no steps at all, never zeros.

    Args:
        dataset: Samples with both modalities.
        modality: "audio", "video", or "" for neither.
    """
    if not modality:
        return dataset
    samples = TransformedSamples(dataset.samples, lambda sample, _: _without(sample, modality))
    return replace(dataset, samples=samples)


def _without(sample: RawSample, modality: str) -> RawSample:
    """A sample without its "audio" or its "video" stream."""
    if modality == "video":
        return replace(sample, steps=sample.steps[:0], video=sample.video[:0])
    features = None if sample.audio is None else sample.audio[:, :0]
    times = None if sample.audio_times is None else sample.audio_times[:0]
    return replace(sample, wave=sample.wave[:0], audio=features, audio_times=times)


@dataclass(frozen=True)
class Condition:
    """A degradation of samples at several levels.

    Attributes:
        name: Name of the condition.
        unit: Unit of the levels.
        levels: The levels; the first leaves the samples untouched.
        degrade: Returns a degraded sample; randomness comes from its generator.
        needs: What the ClipSpec must hold: "waveform", "pixels", "features" or "" for nothing.
        changes: The modality that it changes, "audio" or "video"; "" for both.
    """

    name: str
    unit: str
    levels: tuple[Any, ...]
    degrade: Degrade
    needs: str = ""
    changes: str = ""

    def fits(self, spec: ClipSpec) -> bool:
        """Whether samples of this ClipSpec can be degraded in this way."""
        return self.needs in {"waveform" if spec.audio != "features" else "", spec.video, ""}

    def apply(self, dataset: EmotionDataset, level: Any) -> EmotionDataset:
        """The data set at one level; the degradation depends on the name of each sample alone."""
        if level == self.levels[0]:
            return dataset

        def degraded(sample: RawSample, index: int) -> RawSample:
            key = f"{self.name} {dataset.sample_ids[index]}".encode()
            seed = int.from_bytes(hashlib.sha256(key).digest()[:8], "little")
            return self.degrade(sample, dataset.spec, level, np.random.default_rng(seed))

        out = replace(dataset, samples=TransformedSamples(dataset.samples, degraded))
        if self.changes:
            unchanged = "video" if self.changes == "audio" else "audio"
            object.__setattr__(out, "cache", WindowCache(dataset.cache, unchanged))
        if self.name != "length":
            return out
        return replace(out, durations=[min(seconds, level) for seconds in dataset.durations])


def _modality(
    sample: RawSample, spec: ClipSpec, level: Modality, rng: np.random.Generator
) -> RawSample:
    return _without(sample, REMOVED[level])


def _noise(sample: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    wave = add_noise(sample.wave, spec.sample_rate, level, rng, colour="pink")
    return replace(sample, wave=wave)


def _room(sample: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    return replace(sample, wave=reverberate(sample.wave, spec.sample_rate, level, rng))


def _codec(sample: RawSample, spec: ClipSpec, level: str, rng: np.random.Generator) -> RawSample:
    if level == "telephone":
        return replace(sample, wave=telephone(sample.wave, spec.sample_rate))
    name, kbit = level.split()[:2]
    return replace(sample, wave=through_codec(sample.wave, spec.sample_rate, name, int(kbit)))


def _dropped(
    sample: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator
) -> RawSample:
    steps = np.unique(sample.steps)
    gone = steps[rng.random(len(steps)) < level]
    kept = ~np.isin(sample.steps, gone)
    return replace(sample, steps=sample.steps[kept], video=sample.video[kept])


def _black(sample: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    video = sample.video.copy()
    video[rng.random(len(video)) < level] = 0
    return replace(sample, video=video)


def _blur(sample: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    return replace(sample, video=blurred(sample.video, level / 100 * spec.crop_px))


def _cover(sample: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    side = round(spec.crop_px * level**0.5)
    y, x = rng.integers(0, spec.crop_px - side + 1, 2)
    video = sample.video.copy()
    video[:, y : y + side, x : x + side] = 0
    return replace(sample, video=video)


def _feature_noise(
    sample: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator
) -> RawSample:
    spread = sample.video.std(0, keepdims=True) if len(sample.video) else 1.0
    noise = rng.standard_normal(sample.video.shape) * spread * level
    return replace(sample, video=(sample.video + noise).astype(np.float32))


def _shift(sample: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    if sample.audio_times is not None:
        return replace(sample, audio_times=sample.audio_times + level)
    return replace(sample, wave=shift(sample.wave, round(level * spec.sample_rate)))


def _length(sample: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    """The middle ``level`` seconds, starting at a whole video step."""
    if sample.duration_s <= level:
        return sample
    first = int((sample.duration_s - level) / 2 * spec.video_rate)
    start_s = first / spec.video_rate
    count = round(level * spec.video_rate)
    kept = (sample.steps >= first) & (sample.steps < first + count)
    a = round(start_s * spec.sample_rate)
    audio, times = sample.audio, sample.audio_times
    if audio is not None and times is not None:
        inside = (times >= start_s) & (times < start_s + level)
        audio, times = audio[:, inside], times[inside] - start_s
    return RawSample(
        steps=sample.steps[kept] - first,
        video=sample.video[kept],
        wave=sample.wave[a : a + round(level * spec.sample_rate)],
        duration_s=level,
        audio=audio,
        audio_times=times,
    )


NOISES = (0, 0.25, 0.5, 1, 2, 4)
DROP_RATES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
SHIFTS = (0.0, *(round(x, 1) for x in np.arange(-1, 1.01, 0.2) if abs(x) > 0.01))
CONDITIONS: dict[str, Condition] = {
    condition.name: condition
    for condition in (
        Condition("modality", "", tuple(REMOVED), _modality),
        Condition("noise", "dB SNR", (None, 30, 20, 15, 10, 5, 0, -5), _noise, "waveform", "audio"),
        Condition("reverberation", "s RT60", (0, 0.2, 0.4, 0.8, 1.6), _room, "waveform", "audio"),
        Condition(
            "codec",
            "",
            ("none", "telephone", "libopus 24 kbit/s", "libopus 12 kbit/s", "libopus 6 kbit/s"),
            _codec,
            "waveform",
            "audio",
        ),
        Condition("dropped frames", "share", DROP_RATES, _dropped, "", "video"),
        Condition("black frames", "share", DROP_RATES, _black, "pixels", "video"),
        Condition("blur", "% of the crop side", (0, 1, 2, 4, 8), _blur, "pixels", "video"),
        Condition("occlusion", "share", (0, 0.1, 0.2, 0.4, 0.6), _cover, "pixels", "video"),
        Condition(
            "feature noise",
            "standard deviations",
            (0, 0.25, 0.5, 1, 2, 4),
            _feature_noise,
            "features",
            "video",
        ),
        Condition("shift", "s audio delay", SHIFTS, _shift, "", "audio"),
        Condition("length", "s", (None, 3.0, 2.0, 1.5, 1.0, 0.5), _length),
    )
}
"""The conditions by name."""


def blurred(crops: NDArray[Any], sigma: float) -> NDArray[Any]:
    """Crops ``(n, h, w[, 3])``, uint8, after a Gaussian blur of ``sigma`` pixels."""
    from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

    sigmas = (0, sigma, sigma, *[0] * (crops.ndim - 3))
    out = gaussian_filter(crops.astype(np.float32), sigmas, mode="nearest")
    return np.asarray(np.round(out), crops.dtype)


def through_codec(wave: Float32Array, rate: int, codec: str, kbit: int) -> Float32Array:
    """A waveform encoded and decoded again by FFmpeg, of unchanged length and alignment.

    Args:
        wave: Mono waveform, float32.
        rate: Sample rate in Hz.
        codec: Encoder of FFmpeg that Matroska can hold, e.g. "libopus".
        kbit: Bit rate in kbit/s.
    """
    import av

    from avtca.audio import resample

    if not len(wave):
        return wave
    coded_rate = 48_000
    data = io.BytesIO()
    with av.open(data, "w", format="matroska") as container:
        stream: Any = container.add_stream(codec, rate=coded_rate, layout="mono")
        stream.bit_rate = kbit * 1000
        loud = resample(wave, rate, coded_rate)
        samples = np.clip(loud * 32767, -32768, 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = coded_rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    data.seek(0)
    parts = []
    with av.open(data, "r") as coded:
        for decoded in coded.decode(audio=0):
            values = decoded.to_ndarray()
            scale = 32768 if values.dtype.kind == "i" else 1
            parts.append((values.reshape(-1) / scale).astype(np.float32))
    back = resample(np.concatenate(parts), coded_rate, rate)[: len(wave)]
    return np.pad(back, (0, len(wave) - len(back)))
