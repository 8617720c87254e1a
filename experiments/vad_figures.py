"""Purpose: voice activity detection in noise and music. Cost: three minutes on one core.

    python experiments/vad_figures.py ../shared/corpora [--sounds FOLDER]

Prints a table for the network of the package and for the energy rule of avtca 0.2: how much of the
voice is found, where a decision of the energy rule on the clean sample is the reference, and how
many windows of 3.6 s count as having a voice (0.15 s of it). FOLDER has one folder of audio files
for each further row, with or without a voice.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from avtca.audio import high_pass, resample, voice_activity
from avtca.audio.level import band_level_db
from avtca.audio.vad import _drop_short

RATE = 16_000
WINDOW, HOP, LEAST = 360, 60, 15
"""A window, the distance of two, and the voice that makes it one with a voice, in decisions."""
LEVEL = 0.05
SAMPLES = 8
"""Samples of each emotion of a corpus."""
RAVDESS = ["neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise"]
STRONG = {"angry", "fear", "sad"}
Wave = np.ndarray
Rule = Callable[[Wave], Wave]


def energy_rule(wave: Wave) -> Wave:
    """Voice activity as in avtca 0.2: 9 dB above the background and above -55 dBFS."""
    level = band_level_db(high_pass(wave, RATE), RATE)
    heard = level[level > -90]
    if not len(heard):
        return np.zeros(len(level), bool)
    voiced = level > max(-55.0, np.percentile(heard, 10) + 9)
    return _drop_short(~_drop_short(~voiced, 20, keep_ends=True), 5, keep_ends=False)


def network(wave: Wave) -> Wave:
    return voice_activity(wave, RATE)


def load(path: Path) -> Wave:
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(wave.mean(axis=1), rate, RATE)


def samples(corpora: Path) -> Iterator[tuple[str, str, Path]]:
    """Corpus, emotion (strong ones marked +) and path of some samples."""
    groups: dict[tuple[str, str], list[Path]] = {}
    for path in sorted((corpora / "ravdess" / "audio").glob("*.flac")):
        emotion, intensity = path.stem.split("-")[2:4]
        name = RAVDESS[int(emotion) - 1] + "+" * (intensity == "02")
        groups.setdefault(("RAVDESS", name), []).append(path)
    for path in sorted((corpora / "emodb").rglob("*.opus")):
        groups.setdefault(("EMO-DB", path.stem[5]), []).append(path)
    for path in sorted((corpora / "nemo").rglob("*.opus")):
        groups.setdefault(("nEMO", path.stem.split("_")[1]), []).append(path)
    rng = np.random.default_rng(0)
    for (corpus, emotion), paths in groups.items():
        for at in rng.choice(len(paths), SAMPLES, replace=False):
            yield corpus, emotion, paths[at]


def noise(kind: str, n: int, rng: np.random.Generator) -> Wave:
    """Made noise with a root mean square of LEVEL."""
    t, white = np.arange(n) / RATE, rng.standard_normal(n)
    hz = np.maximum(np.fft.rfftfreq(n, 1 / RATE), 1)
    shape = {
        "pink": hz**-0.5,
        "surf": hz**-0.5,
        "gusts": (hz > 20) / hz,
        "rumble": ((hz > 5) & (hz < 80)) / hz,
        "fan": np.exp(-(np.log(hz / 300) ** 2) / 1.2),
    }.get(kind, np.ones(len(hz)))
    out = np.fft.irfft(np.fft.rfft(white) * shape, n)
    if kind == "hum":
        out = 0.02 * white + sum(np.sin(2 * np.pi * 50 * k * t) / k for k in range(1, 16))
    if kind in ("gusts", "surf"):  # comes and goes
        knots = np.arange(0, t[-1] + 1, 0.4)
        out *= np.clip(np.interp(t, knots, rng.uniform(-0.5, 1, len(knots))), 0, 1) ** 2
    if kind == "typing":
        out *= 1e-4
        for at in rng.integers(0, n - 1600, int(6 * t[-1])):
            out[at : at + 1600] += rng.standard_normal(1600) * np.exp(-np.arange(1600) / 250)
    if kind == "siren":
        out = 0.01 * white + np.sign(np.sin(1400 * np.pi * t + 600 * np.sin(np.pi * t)))
    if kind == "beeps":
        out = 1e-3 * white + np.sin(2000 * np.pi * t) * (t % 0.5 < 0.15)
    return (out * LEVEL / np.sqrt(np.mean(out**2))).astype(np.float32)


NOISES = ["white", "pink", "fan", "hum", "rumble", "gusts", "surf", "typing", "siren", "beeps"]
CHORDS = (0, 4, 7), (5, 9, 12), (7, 11, 14), (-3, 0, 4)
SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def music(kind: str, n: int, rng: np.random.Generator) -> Wave:
    """Made music, two notes or chords a second: melody, chords, drums or song (all of them)."""
    out, beat, base = np.zeros(n + RATE), RATE // 2, 220 * 2 ** (rng.integers(0, 12) / 12)
    decay, harmonics = rng.uniform(1, 6), rng.integers(4, 12)
    t = np.arange(RATE) / RATE
    for i, at in enumerate(range(0, n, beat)):
        notes = []
        if kind in ("melody", "song"):
            notes.append(12 + SCALE[rng.integers(len(SCALE))])
        if kind in ("chords", "song"):
            notes += CHORDS[i // 4 % 4]
        for note in notes:
            for k in range(1, harmonics):
                tone = np.sin(2 * np.pi * k * base * 2 ** (note / 12) * t)
                out[at : at + RATE] += tone * np.exp(-decay * t) / k**1.2
        if kind in ("drums", "song"):
            drum = np.sin(2 * np.pi * 60 * t) * np.exp(-12 * t)
            drum += (i % 2) * rng.standard_normal(RATE) * np.exp(-20 * t)
            out[at : at + RATE] += 3 * drum
    out = out[:n]
    return (out * LEVEL / np.sqrt(np.mean(out**2))).astype(np.float32)


class Row:
    """Decisions of one kind of audio, by both rules."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {}
        self.windows: dict[str, list[bool]] = {}

    def add(self, wave: Wave, reference: Wave | None = None) -> None:
        for rule in (energy_rule, network):
            voiced = rule(wave)
            part = voiced if reference is None else voiced[reference]
            self.found.setdefault(rule.__name__, []).append(float(part.mean()))
            for at in range(0, max(1, len(voiced) - WINDOW + 1), HOP):
                window = slice(at, at + WINDOW)
                if reference is None or reference[window].sum() >= LEAST:
                    has_voice = bool(voiced[window].sum() >= LEAST)
                    self.windows.setdefault(rule.__name__, []).append(has_voice)

    def __str__(self) -> str:
        both = (self.found, self.windows)
        cells = [100 * np.mean(each[rule.__name__]) for each in both for rule in RULES]
        return " | ".join(f"{cell:.0f}" for cell in cells)


RULES = energy_rule, network


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--sounds", type=Path)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    rows: dict[str, Row] = {}

    def add(name: str, wave: Wave, reference: Wave | None = None) -> None:
        rows.setdefault(name, Row()).add(wave.astype(np.float32), reference)

    for i, (corpus, emotion, path) in enumerate(samples(args.corpora)):
        wave = load(path)
        voiced = energy_rule(wave)
        add(f"{corpus}, clean", wave, voiced)
        if emotion.removesuffix("+") in STRONG and emotion.endswith("+"):
            add(f"RAVDESS, strong {emotion[:-1]}", wave, voiced)
        add("30 dB quieter", wave * 10**-1.5, voiced)
        add("offset of 0.02", wave + 0.02, voiced)
        if i % 4:
            continue
        rms = np.sqrt(np.mean(wave**2))
        for snr in (20, 10, 5, 0):
            gain = rms / LEVEL * 10 ** (-snr / 20)
            for kind in ("white", "pink", "fan", "hum"):
                add(f"steady noise, {snr} dB", wave + gain * noise(kind, len(wave), rng), voiced)
            add(f"gusts, {snr} dB", wave + gain * noise("gusts", len(wave), rng), voiced)
            add(f"song, {snr} dB", wave + gain * music("song", len(wave), rng), voiced)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        for gain in (1, 0.1):
            for kind in NOISES:
                add(f"{kind} alone", gain * noise(kind, 2 * RATE * WINDOW // 100, rng))
            for kind in ("melody", "chords", "drums", "song"):
                add(f"{kind} alone", gain * music(kind, 2 * RATE * WINDOW // 100, rng))
    add("digital silence", np.zeros(2 * RATE * WINDOW // 100, np.float32))
    for folder in sorted(args.sounds.iterdir()) if args.sounds else ():
        for path in sorted(folder.iterdir()):
            wave = load(path)
            voiced = energy_rule(wave)
            add(folder.name, wave, voiced if voiced.any() else None)
    print("| audio | found, energy rule | network | windows, energy rule | network |")
    print("|---|---|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row} |")
