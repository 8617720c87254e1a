"""How answers change when audio or picture get worse: curves over named conditions.

Each condition degrades the test samples as they were recorded; the network and its windows stay.
What is random is drawn from the sample's name, so that every system meets the same damage.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.audio.augment import add_noise, reverberate, shift, telephone
from avtca.clipspec import ClipSpec
from avtca.corpora.sample_file import RawSample
from avtca.data.dataset import EmotionDataset
from avtca.errors import ConfigError
from avtca.evaluation.evaluate import AWAY, Changed, deprived, estimate_metrics
from avtca.evaluation.evaluated_model import EvaluatedModel

Change = Callable[[RawSample, ClipSpec, Any, np.random.Generator], RawSample]
Float = NDArray[np.float32]


@dataclass(frozen=True)
class Condition:
    """A way to degrade samples, at several levels; the first level is the untouched sample.

    ``needs``: "waveform", "pixels", "features" or "" for what the ClipSpec must hold.
    """

    name: str
    unit: str
    levels: tuple[Any, ...]
    change: Change
    needs: str = ""

    def fits(self, spec: ClipSpec) -> bool:
        """Whether samples of this spec can be degraded so."""
        have = {"waveform" if spec.audio != "features" else "", spec.video, ""}
        return self.needs in have

    def applied(self, samples: EmotionDataset, level: Any) -> EmotionDataset:
        """The samples at one level."""
        if level == self.levels[0]:
            return samples

        def changed(raw: RawSample, index: int) -> RawSample:
            key = f"{self.name} {samples.sample_ids[index]}".encode()
            seed = int.from_bytes(hashlib.sha256(key).digest()[:8], "little")
            return self.change(raw, samples.spec, level, np.random.default_rng(seed))

        out = replace(samples, samples=Changed(samples.samples, changed))
        if self.name != "length":
            return out
        return replace(out, durations=[min(seconds, level) for seconds in samples.durations])


def _modality(raw: RawSample, spec: ClipSpec, level: str, rng: np.random.Generator) -> RawSample:
    return deprived(raw, AWAY[level])


def _noise(raw: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    wave = add_noise(raw.wave, spec.sample_rate, level, rng, colour="pink")
    return replace(raw, wave=wave)


def _room(raw: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    return replace(raw, wave=reverberate(raw.wave, spec.sample_rate, level, rng))


def _codec(raw: RawSample, spec: ClipSpec, level: str, rng: np.random.Generator) -> RawSample:
    if level == "telephone":
        return replace(raw, wave=telephone(raw.wave, spec.sample_rate))
    name, kbit = level.split()[:2]
    return replace(raw, wave=through_codec(raw.wave, spec.sample_rate, name, int(kbit)))


def _dropped(raw: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    steps = np.unique(raw.steps)
    gone = steps[rng.random(len(steps)) < level]
    kept = ~np.isin(raw.steps, gone)
    return replace(raw, steps=raw.steps[kept], video=raw.video[kept])


def _black(raw: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    video = raw.video.copy()
    video[rng.random(len(video)) < level] = 0
    return replace(raw, video=video)


def _blur(raw: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    return replace(raw, video=blurred(raw.video, level / 100 * spec.crop_px))


def _cover(raw: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    side = round(spec.crop_px * level**0.5)
    y, x = rng.integers(0, spec.crop_px - side + 1, 2)
    video = raw.video.copy()
    video[:, y : y + side, x : x + side] = 0
    return replace(raw, video=video)


def _feature_noise(
    raw: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator
) -> RawSample:
    spread = raw.video.std(0, keepdims=True) if len(raw.video) else 1.0
    noise = rng.standard_normal(raw.video.shape) * spread * level
    return replace(raw, video=(raw.video + noise).astype(np.float32))


def _shift(raw: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    if raw.audio_times is not None:
        return replace(raw, audio_times=raw.audio_times + level)
    return replace(raw, wave=shift(raw.wave, round(level * spec.sample_rate)))


def _length(raw: RawSample, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawSample:
    """The middle ``level`` seconds, from a whole step on."""
    if raw.duration_s <= level:
        return raw
    first = int((raw.duration_s - level) / 2 * spec.video_rate)
    start_s = first / spec.video_rate
    count = round(level * spec.video_rate)
    kept = (raw.steps >= first) & (raw.steps < first + count)
    a = round(start_s * spec.sample_rate)
    audio, times = raw.audio, raw.audio_times
    if audio is not None and times is not None:
        inside = (times >= start_s) & (times < start_s + level)
        audio, times = audio[:, inside], times[inside] - start_s
    return RawSample(
        steps=raw.steps[kept] - first,
        video=raw.video[kept],
        wave=raw.wave[a : a + round(level * spec.sample_rate)],
        duration_s=level,
        audio=audio,
        audio_times=times,
    )


NOISES = (0, 0.25, 0.5, 1, 2, 4)
VOTE_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
SHIFTS = (0.0, *(round(x, 1) for x in np.arange(-1, 1.01, 0.2) if abs(x) > 0.01))
CONDITIONS: dict[str, Condition] = {
    condition.name: condition
    for condition in (
        Condition("modality", "", tuple(AWAY), _modality),
        Condition("noise", "dB SNR", (None, 30, 20, 15, 10, 5, 0, -5), _noise, "waveform"),
        Condition("reverberation", "s RT60", (0, 0.2, 0.4, 0.8, 1.6), _room, "waveform"),
        Condition(
            "codec",
            "",
            ("none", "telephone", "libopus 24 kbit/s", "libopus 12 kbit/s", "libopus 6 kbit/s"),
            _codec,
            "waveform",
        ),
        Condition("dropped frames", "share", VOTE_SHARES, _dropped),
        Condition("black frames", "share", VOTE_SHARES, _black, "pixels"),
        Condition("blur", "% of the side", (0, 1, 2, 4, 8), _blur, "pixels"),
        Condition("occlusion", "share", (0, 0.1, 0.2, 0.4, 0.6), _cover, "pixels"),
        Condition(
            "feature noise", "deviations", (0, 0.25, 0.5, 1, 2, 4), _feature_noise, "features"
        ),
        Condition("shift", "s the audio is late", SHIFTS, _shift),
        Condition("length", "s", (None, 3.0, 2.0, 1.5, 1.0, 0.5), _length),
    )
}
"""By name."""


def robustness(
    systems: Sequence[EvaluatedModel],
    conditions: Iterable[str] = (),
    *,
    progress: Callable[[str, str, Any], None] | None = None,
) -> dict[str, Any]:
    """Curves of every system under every condition (default: all that fit its ClipSpec).

    ``{"systems": {name: {condition: [{"level", metric: [value, low, high]}]}}, "units",
    "splits"}``. ``progress(system, condition, level)`` is called ahead of each point. Raises
    :class:`ConfigError` for unknown conditions, systems of one name, or none that fits.
    """
    wanted = list(conditions) or list(CONDITIONS)
    action = "measure robustness"
    if unknown := sorted(set(wanted) - set(CONDITIONS)):
        found = f"unknown condition {unknown[0]!r}"
        raise ConfigError(action, found, f"choose among {', '.join(CONDITIONS)}")
    if len({system.name for system in systems}) != len(systems):
        raise ConfigError(action, "two systems have one name", "name each of them once")
    curves: dict[str, Any] = {system.name: {} for system in systems}
    for name in wanted:
        condition = CONDITIONS[name]
        fitting = [system for system in systems if condition.fits(system.spec)]
        for level in condition.levels:
            damaged: dict[tuple[Any, ...], EmotionDataset] = {}
            for system in fitting:
                if progress is not None:
                    progress(system.name, name, level)
                answers = system.predict(partial(_once, damaged, condition, level))
                point = {"level": level, **estimate_metrics(answers)}
                curves[system.name].setdefault(name, []).append(point)
    if not any(curves.values()):
        raise ConfigError(
            action, "no condition fits the ClipSpec", f"choose among {', '.join(CONDITIONS)}"
        )
    return {
        "systems": curves,
        "units": {name: CONDITIONS[name].unit for name in wanted},
        "splits": {
            system.name: {"caveat": system.caveat, **system.provenance} for system in systems
        },
        "samples": {
            system.name: sum(len(samples) for samples in system.test) for system in systems
        },
    }


def _once(
    damaged: dict[tuple[Any, ...], EmotionDataset],
    condition: Condition,
    level: Any,
    samples: EmotionDataset,
) -> EmotionDataset:
    """The samples at a level; systems that are tested on the same samples share their windows, each
    with its own truth.
    """
    key = samples.spec.hash, samples.normalisation is None, *samples.sample_ids
    if key not in damaged:
        damaged[key] = condition.applied(samples, level)
    return replace(damaged[key], targets=samples.targets)


def blurred(crops: NDArray[Any], sigma: float) -> NDArray[Any]:
    """Crops ``(n, h, w[, 3])`` uint8 through a Gaussian of ``sigma`` pixels, edges repeated."""
    from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

    sigmas = (0, sigma, sigma, *[0] * (crops.ndim - 3))
    out = gaussian_filter(crops.astype(np.float32), sigmas, mode="nearest")
    return np.asarray(np.round(out), crops.dtype)


def through_codec(wave: Float, rate: int, codec: str, kbit: int) -> Float:
    """A waveform coded and decoded again by FFmpeg, of the same length and place in time.

    ``codec`` is an encoder that Matroska holds, such as "libopus"; ``kbit`` its kbit/s.
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
