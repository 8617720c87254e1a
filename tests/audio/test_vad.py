"""Voice activity on real samples, silence, noise and hum."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from avtca.audio import VOICE_RATE, resample, voice_activity


def test_ravdess_samples_are_silence_speech_silence(corpora: Path) -> None:
    """Every sample opens and closes with about a second of silence (one sample in 24 looked at)."""
    for path in sorted((corpora / "ravdess" / "audio").glob("*.flac"))[::60]:
        wave, rate = soundfile.read(path, dtype="float32")
        voiced = voice_activity(wave, rate)
        assert voiced.dtype == bool and len(voiced) == np.ceil(len(wave) * 100 / rate)
        assert not voiced[:20].any() and not voiced[-10:].any(), path.name
        assert 0.25 < voiced.mean() < 0.75, path.name
        on = np.flatnonzero(voiced)
        speech = voiced[on[0] : on[-1]]
        assert speech.mean() > 0.6, path.name


def test_the_flagged_part_holds_the_energy(speech: dict[str, Any]) -> None:
    for name, (wave, rate) in speech.items():
        voiced = voice_activity(wave, rate)
        per_sample = np.repeat(voiced, round(rate / VOICE_RATE))[: len(wave)]
        energy = np.square(wave[: len(per_sample)], dtype=np.float64)
        assert energy[per_sample].sum() > 0.95 * energy.sum(), name


def test_decisions_do_not_depend_on_the_rate(speech: dict[str, Any]) -> None:
    for wave, rate in speech.values():
        here = voice_activity(resample(wave, rate, 16_000), 16_000)
        there = voice_activity(resample(wave, rate, 22_050), 22_050)
        n = min(len(here), len(there))
        assert np.mean(here[:n] == there[:n]) > 0.95


def test_speech_in_noise_is_found_and_noise_alone_is_not(speech: dict[str, Any]) -> None:
    wave, rate = speech["03-01-05-02-01-01-24.flac"]
    clean = voice_activity(wave, rate)
    noise = np.random.default_rng(0).standard_normal(len(wave)).astype(np.float32)
    noise *= 0.1 * np.sqrt(np.mean(wave**2))  # 20 dB under the sample
    noisy = voice_activity(wave + noise, rate)
    assert not voice_activity(noise, rate).any()
    assert noisy[clean].mean() > 0.7
    assert noisy[~clean].mean() < 0.05


@pytest.mark.parametrize("level", [1e-4, 1e-3, 1e-2, 0.3])
@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_steady_audio_is_not_voice(level: float, rate: int) -> None:
    rng = np.random.default_rng(0)
    time_s = np.arange(3 * rate) / rate
    for steady in (rng.standard_normal(len(time_s)), np.sin(2 * np.pi * 50 * time_s)):
        assert not voice_activity((level * steady).astype(np.float32), rate).any()


def test_digital_silence_around_quiet_noise_does_not_turn_it_into_voice() -> None:
    rng = np.random.default_rng(1)
    wave = np.zeros(64_000, np.float32)
    wave[20_000:40_000] = 0.01 * rng.standard_normal(20_000)
    assert not voice_activity(wave, 16_000).any()
    assert not voice_activity(np.zeros(64_000, np.float32), 16_000).any()


def test_clicks_are_dropped_and_short_pauses_filled() -> None:
    rng = np.random.default_rng(2)
    wave = 1e-4 * rng.standard_normal(48_000).astype(np.float32)
    loud = 0.1 * rng.standard_normal(48_000).astype(np.float32)
    wave[8000:8160] += loud[:160]  # a click of 10 ms
    wave[24_000:28_000] += loud[:4000]  # 250 ms, 100 ms pause, 250 ms
    wave[29_600:33_600] += loud[:4000]
    voiced = voice_activity(wave, 16_000)
    assert not voiced[:148].any() and not voiced[213:].any()
    assert voiced[152:208].all()


@pytest.mark.parametrize("n", [0, 1, 100, 161])
def test_very_short_waves(n: int) -> None:
    assert voice_activity(np.ones(n, np.float32), 16_000).shape == (int(np.ceil(n / 160)),)
