"""How answers change when sound or picture get worse: curves over named conditions.

Each condition degrades the test takes as they were recorded; the network and its windows stay.
What is random is drawn from the take's name, so that every system meets the same damage.
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
from avtca.corpora.sample_file import RawTake
from avtca.data.dataset import TakeSet
from avtca.errors import ConfigError
from avtca.evaluation.evaluated_model import System
from avtca.evaluation.report import AWAY, Changed, deprived, metrics_line

Change = Callable[[RawTake, ClipSpec, Any, np.random.Generator], RawTake]
Float = NDArray[np.float32]


@dataclass(frozen=True)
class Condition:
    """A way to degrade takes, at several levels; the first level is the untouched take.

    ``needs``: "waveform", "pixels", "features" or "" for what the ClipSpec must hold.
    """

    name: str
    unit: str
    levels: tuple[Any, ...]
    change: Change
    needs: str = ""

    def fits(self, spec: ClipSpec) -> bool:
        """Whether takes of this spec can be degraded so."""
        have = {"waveform" if spec.sound != "features" else "", spec.visual, ""}
        return self.needs in have

    def applied(self, takes: TakeSet, level: Any) -> TakeSet:
        """The takes at one level."""
        if level == self.levels[0]:
            return takes

        def changed(raw: RawTake, index: int) -> RawTake:
            key = f"{self.name} {takes.names[index]}".encode()
            seed = int.from_bytes(hashlib.sha256(key).digest()[:8], "little")
            return self.change(raw, takes.spec, level, np.random.default_rng(seed))

        out = replace(takes, raws=Changed(takes.raws, changed), kept={})
        if self.name != "length":
            return out
        return replace(out, durations=[min(seconds, level) for seconds in takes.durations])


def _modality(raw: RawTake, spec: ClipSpec, level: str, rng: np.random.Generator) -> RawTake:
    return deprived(raw, AWAY[level])


def _noise(raw: RawTake, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawTake:
    wave = add_noise(raw.wave, spec.sample_rate, level, rng, colour="pink")
    return replace(raw, wave=wave)


def _room(raw: RawTake, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawTake:
    return replace(raw, wave=reverberate(raw.wave, spec.sample_rate, level, rng))


def _codec(raw: RawTake, spec: ClipSpec, level: str, rng: np.random.Generator) -> RawTake:
    if level == "telephone":
        return replace(raw, wave=telephone(raw.wave, spec.sample_rate))
    name, kbit = level.split()[:2]
    return replace(raw, wave=through_codec(raw.wave, spec.sample_rate, name, int(kbit)))


def _dropped(raw: RawTake, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawTake:
    steps = np.unique(raw.steps)
    gone = steps[rng.random(len(steps)) < level]
    kept = ~np.isin(raw.steps, gone)
    return replace(raw, steps=raw.steps[kept], visual=raw.visual[kept])


def _black(raw: RawTake, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawTake:
    visual = raw.visual.copy()
    visual[rng.random(len(visual)) < level] = 0
    return replace(raw, visual=visual)


def _blur(raw: RawTake, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawTake:
    return replace(raw, visual=blurred(raw.visual, level / 100 * spec.crop_px))


def _cover(raw: RawTake, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawTake:
    side = round(spec.crop_px * level**0.5)
    y, x = rng.integers(0, spec.crop_px - side + 1, 2)
    visual = raw.visual.copy()
    visual[:, y : y + side, x : x + side] = 0
    return replace(raw, visual=visual)


def _feature_noise(raw: RawTake, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawTake:
    spread = raw.visual.std(0, keepdims=True) if len(raw.visual) else 1.0
    noise = rng.standard_normal(raw.visual.shape) * spread * level
    return replace(raw, visual=(raw.visual + noise).astype(np.float32))


def _shift(raw: RawTake, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawTake:
    if raw.sound_times is not None:
        return replace(raw, sound_times=raw.sound_times + level)
    return replace(raw, wave=shift(raw.wave, round(level * spec.sample_rate)))


def _length(raw: RawTake, spec: ClipSpec, level: float, rng: np.random.Generator) -> RawTake:
    """The middle ``level`` seconds, from a whole step on."""
    if raw.duration_s <= level:
        return raw
    first = int((raw.duration_s - level) / 2 * spec.video_rate)
    start_s = first / spec.video_rate
    count = round(level * spec.video_rate)
    kept = (raw.steps >= first) & (raw.steps < first + count)
    a = round(start_s * spec.sample_rate)
    sound, times = raw.sound, raw.sound_times
    if sound is not None and times is not None:
        inside = (times >= start_s) & (times < start_s + level)
        sound, times = sound[:, inside], times[inside] - start_s
    return RawTake(
        steps=raw.steps[kept] - first,
        visual=raw.visual[kept],
        wave=raw.wave[a : a + round(level * spec.sample_rate)],
        duration_s=level,
        sound=sound,
        sound_times=times,
    )


NOISES = (0, 0.25, 0.5, 1, 2, 4)
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
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
        Condition("dropped frames", "share", SHARES, _dropped),
        Condition("black frames", "share", SHARES, _black, "pixels"),
        Condition("blur", "% of the side", (0, 1, 2, 4, 8), _blur, "pixels"),
        Condition("occlusion", "share", (0, 0.1, 0.2, 0.4, 0.6), _cover, "pixels"),
        Condition(
            "feature noise", "deviations", (0, 0.25, 0.5, 1, 2, 4), _feature_noise, "features"
        ),
        Condition("shift", "s the sound is late", SHIFTS, _shift),
        Condition("length", "s", (None, 3.0, 2.0, 1.5, 1.0, 0.5), _length),
    )
}
"""By name."""


def robustness(
    systems: Sequence[System],
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
    asked = "measure robustness"
    if unknown := sorted(set(wanted) - set(CONDITIONS)):
        found = f"unknown condition {unknown[0]!r}"
        raise ConfigError(asked, found, f"choose among {', '.join(CONDITIONS)}")
    if len({system.name for system in systems}) != len(systems):
        raise ConfigError(asked, "two systems have one name", "name each of them once")
    curves: dict[str, Any] = {system.name: {} for system in systems}
    for name in wanted:
        condition = CONDITIONS[name]
        fitting = [system for system in systems if condition.fits(system.spec)]
        for level in condition.levels:
            damaged: dict[tuple[Any, ...], TakeSet] = {}
            for system in fitting:
                if progress is not None:
                    progress(system.name, name, level)
                answers = system.answers(partial(_once, damaged, condition, level))
                point = {"level": level, **metrics_line(answers)}
                curves[system.name].setdefault(name, []).append(point)
    if not any(curves.values()):
        raise ConfigError(
            asked, "no condition fits the ClipSpec", f"choose among {', '.join(CONDITIONS)}"
        )
    return {
        "systems": curves,
        "units": {name: CONDITIONS[name].unit for name in wanted},
        "splits": {system.name: {"mark": system.mark, **system.provenance} for system in systems},
        "takes": {system.name: sum(len(takes) for takes in system.test) for system in systems},
    }


def _once(
    damaged: dict[tuple[Any, ...], TakeSet], condition: Condition, level: Any, takes: TakeSet
) -> TakeSet:
    """The takes at a level; systems that are tested on the same takes share their windows, each
    with its own truth.
    """
    key = takes.spec.hash, takes.standard is None, *takes.names
    if key not in damaged:
        damaged[key] = condition.applied(takes, level)
    return replace(damaged[key], targets=takes.targets)


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
