"""A synthetic voice: glottal pulses through formants, with the prosody of an emotion.

It is not based on any recording. A statement is a fixed sequence of
syllables without meaning, different for each speaker.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 24_000
"""Hz of the synthetic audio."""

Float = NDArray[np.float64]

VOWELS = {
    "a": (750, 1250, 2550, 3500),
    "e": (530, 1840, 2480, 3500),
    "i": (300, 2250, 3000, 3600),
    "o": (500, 900, 2500, 3400),
    "u": (330, 850, 2300, 3300),
    "x": (500, 1450, 2450, 3450),
}
"""Formants in Hz of an average man (Peterson and Barney 1952, rounded); x is the schwa."""
OPENING = {"a": 1.0, "e": 0.6, "i": 0.35, "o": 0.7, "u": 0.35, "x": 0.5}
"""How far a vowel opens the mouth."""
ROUNDING = {"o": 0.8, "u": 1.0}
"""How far it rounds the lips."""
BANDWIDTHS = (70, 100, 150, 220)

CONSONANTS = "bdgkst"
SYLLABLES = 7
"""In a statement; each is a consonant and a vowel."""


@dataclass(frozen=True, kw_only=True)
class Prosody:
    """Prosody of an emotion."""

    pitch: float = 1.0
    """Factor on the speaker's fundamental frequency."""
    swing: float = 2.0
    """Semitones of the pitch accents."""
    slope: float = -2.0
    """Semitones from the start to the end."""
    rate: float = 4.0
    """Syllables a second."""
    level_db: float = 0.0
    tilt_db: float = 0.0
    """Gain of each formant over the one below it: a tense voice is bright."""
    breath: float = 0.06
    """Share of noise."""
    jitter: float = 0.006
    """Relative deviation of the length of a period."""
    tremor: float = 0.0
    """Semitones of a 7 Hz tremor."""


# Much breath makes a voice of noise, which voice activity detection does not take for one.
PROSODY = {
    "neutral": Prosody(),
    "calm": Prosody(pitch=0.95, swing=1.2, rate=3.4, level_db=-4, tilt_db=-2, breath=0.08),
    "happy": Prosody(pitch=1.4, swing=6, slope=1, rate=4.7, level_db=4, tilt_db=2),
    "sad": Prosody(
        pitch=0.9, swing=1.5, slope=-4, rate=2.8, level_db=-8, tilt_db=-4, breath=0.05, jitter=0.012
    ),
    "angry": Prosody(
        pitch=1.3, swing=5, slope=-5, rate=4.9, level_db=8, tilt_db=5, breath=0.03, jitter=0.02
    ),
    "fear": Prosody(
        pitch=1.6, swing=3, slope=2, rate=5.4, level_db=-1, breath=0.1, jitter=0.03, tremor=1.2
    ),
    "disgust": Prosody(
        pitch=0.88, swing=3, slope=-6, rate=3.1, level_db=1, tilt_db=-1, breath=0.1, jitter=0.035
    ),
    "surprise": Prosody(pitch=1.5, swing=9, slope=8, rate=4.2, level_db=5, tilt_db=2, breath=0.1),
}


@dataclass(frozen=True)
class Voice:
    """The voice of one speaker."""

    f0: float
    """Mean fundamental frequency in Hz."""
    tract: float
    """Factor on the formant frequencies."""
    pace: float
    """Factor on the syllable rate."""
    breath: float
    """Factor on the share of noise."""
    wording: int = 0
    """Seed of the speaker's statements. Voices that speak the same syllables in the same rhythm
    are near copies to an audio fingerprint."""

    def statement(self, number: int) -> tuple[str, ...]:
        """The syllables of a statement."""
        rng = np.random.default_rng([self.wording, number])
        letters = rng.choice(list(CONSONANTS), SYLLABLES), rng.choice(list(VOWELS), SYLLABLES)
        return tuple(consonant + vowel for consonant, vowel in zip(*letters, strict=True))


@dataclass(frozen=True)
class Speech:
    """``wave`` float32 ``(n,)`` at :data:`RATE`; syllables as ``(start_s, length_s, vowel)``."""

    wave: NDArray[np.float32]
    syllables: tuple[tuple[float, float, str], ...]

    def mouth(self, times: Float) -> tuple[Float, Float]:
        """How far the mouth is open (0..1) and rounded (0..1) at each of ``times`` seconds."""
        opened, rounded = np.zeros(len(times)), np.zeros(len(times))
        for start, length, vowel in self.syllables:
            phase = np.clip((times - start) / length, 0, 1)
            bell = np.sin(np.pi * phase)
            opened = np.maximum(opened, OPENING[vowel] * bell)
            rounded = np.maximum(rounded, ROUNDING.get(vowel, 0.0) * bell)
        return opened, rounded


def speak(
    voice: Voice,
    emotion: str,
    *,
    statement: int,
    strength: float,
    seconds: float,
    rng: np.random.Generator,
) -> Speech:
    """A statement, repeated to fill ``seconds``, with silence at both ends.

    ``strength`` scales the distance from neutral. Raises ``KeyError`` for an unknown emotion.
    """
    prosody = _scaled(PROSODY[emotion], strength)
    n = round(seconds * RATE)
    lead = min(0.45, seconds * 0.15)
    rate = prosody.rate * voice.pace * rng.uniform(0.95, 1.05)
    pattern = voice.statement(statement)
    count = max(1, int((seconds - 2 * lead) * rate))
    pause = max(1, len(pattern) + 2)  # a rest after each statement
    spoken = [(k, pattern[k % pause]) for k in range(count) if k % pause < len(pattern)]
    syllables = [
        (lead + k / rate + rng.uniform(0, 0.02), 0.92 / rate, syllable) for k, syllable in spoken
    ]
    t = np.arange(n) / RATE
    end = lead + count / rate
    semitones = prosody.slope * np.clip((t - lead) / max(end - lead, 0.1), 0, 1)
    semitones += prosody.tremor * np.sin(2 * np.pi * 7 * t)
    loudness = np.zeros(n)
    for k, (start, length, _) in enumerate(syllables):
        phase = np.clip((t - start) / length, 0, 1)
        accent = 1.0 if k % 3 == 0 else 0.35
        semitones += accent * prosody.swing * np.sin(np.pi * phase) ** 2 * rng.uniform(0.8, 1.2)
        shape = np.minimum(1, 8 * phase) * np.minimum(1, 4 * (1 - phase))
        loudness = np.maximum(loudness, shape * (0.7 + 0.3 * accent))
    f0 = voice.f0 * prosody.pitch * 2 ** (semitones / 12)
    formants = _formant_tracks(syllables, t) * voice.tract
    gains = 10 ** (np.arange(4) * (prosody.tilt_db - 5) / 20)
    wave = _pulses(f0, formants, gains, loudness, prosody.jitter, rng)
    breath = min(0.8, prosody.breath * voice.breath)
    wave = (1 - breath) * wave + breath * 1.5 * _aspiration(formants, loudness, rng)
    wave += _consonants(syllables, n, rng) * 0.08
    voiced = loudness > 0.3
    level = float(np.sqrt(np.mean(wave[voiced] ** 2))) if voiced.any() else 1.0
    wave *= 0.07 * 10 ** (prosody.level_db / 20) / max(level, 1e-9)
    wave += 2e-4 * rng.standard_normal(n)  # a room is never silent
    peak = np.abs(wave).max()
    wave *= min(1.0, 0.95 / peak)
    words = tuple((start, length, syllable[1]) for start, length, syllable in syllables)
    return Speech(wave.astype(np.float32), words)


def _scaled(prosody: Prosody, strength: float) -> Prosody:
    neutral = vars(Prosody())
    return Prosody(
        **{k: neutral[k] + strength * (v - neutral[k]) for k, v in vars(prosody).items()}
    )


def _formant_tracks(syllables: Sequence[tuple[float, float, str]], t: Float) -> Float:
    """``(4, n)`` Hz that glide from vowel to vowel."""
    times, values = [0.0], [VOWELS["x"]]
    for start, length, syllable in syllables:
        times += [start + 0.25 * length, start + 0.75 * length]
        values += [VOWELS[syllable[1]]] * 2
    return np.stack([np.interp(t, times, np.array(values)[:, k]) for k in range(4)])


def _pulses(
    f0: Float,
    formants: Float,
    gains: Float,
    loudness: Float,
    jitter: float,
    rng: np.random.Generator,
) -> Float:
    """The tract's response, decaying sinusoids, to a pulse at the start of each period."""
    out = np.zeros(len(f0))
    t = np.arange(round(0.025 * RATE)) / RATE
    decay = np.exp(-np.pi * np.outer(BANDWIDTHS, t))
    attack = np.minimum(1, t / 0.0006)
    phase = np.cumsum(f0) / RATE
    periods = int(phase[-1]) + 2
    phase += jitter * np.interp(phase, np.arange(periods), rng.standard_normal(periods))
    for at in np.flatnonzero(np.diff(np.floor(phase)) > 0) + 1:
        if loudness[at] < 1e-3 or at + len(t) > len(out):
            continue
        late = (phase[at] % 1) * RATE / f0[at] / RATE  # the pulse fell between two samples
        tones = np.sin(2 * np.pi * formants[:, at, None] * (t + late))
        amplitude = loudness[at] * (1 + 3 * jitter * rng.standard_normal())
        out[at : at + len(t)] += amplitude * attack * (gains[:, None] * decay * tones).sum(0)
    return out


def _aspiration(formants: Float, loudness: Float, rng: np.random.Generator) -> Float:
    """Noise through the mean formants."""
    spectrum = np.fft.rfft(rng.standard_normal(len(loudness)))
    hz = np.fft.rfftfreq(len(loudness), 1 / RATE)
    weight = np.zeros(len(hz))
    for k, centre in enumerate(formants.mean(1)):
        weight += 0.8**k / (1 + ((hz - centre) / (2.5 * BANDWIDTHS[k])) ** 2)
    noise: Float = np.fft.irfft(spectrum * weight, len(loudness))
    return loudness * noise / max(float(noise.std()), 1e-9)


def _consonants(
    syllables: Sequence[tuple[float, float, str]], n: int, rng: np.random.Generator
) -> Float:
    """A hiss (s) or a short burst at the head of each syllable."""
    out = np.zeros(n)
    for start, length, syllable in syllables:
        long = 0.3 * length if syllable[0] == "s" else 0.012
        size = max(2, round(long * RATE))
        at = max(0, round(start * RATE) - size // 2)
        hiss = np.diff(rng.standard_normal(size + 2), 2) / 2.4 * np.hanning(size)
        out[at : at + size] += hiss[: len(out[at : at + size])]
    return out
