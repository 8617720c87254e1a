"""Voice activity on real samples, in noise, and on noise, music and silence alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from vad_figures import energy_rule, music, noise

from avtca import networks
from avtca.audio import VOICE_RATE, high_pass, resample, vad, voice_activity
from avtca.errors import CheckpointError
from avtca.networks import packaged_network

Speech = dict[str, Any]
SCREAMS = ["03-01-05-02-02-02-06", "03-01-06-02-01-01-06", "03-01-06-02-02-01-06"]
"""Strong anger and fear with voices so high that the network alone finds almost nothing."""
MUSIC = "chords", "drums", "song"
SEVEN_S = 112_000


def alone(kind: str) -> np.ndarray:
    """Made noise or music without a voice, 7 s at 16 kHz and -26 dBFS."""
    make = music if kind in MUSIC else noise
    return make(kind, SEVEN_S, np.random.default_rng(1))


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


def test_the_flagged_part_holds_the_energy(speech: Speech) -> None:
    for name, (wave, rate) in speech.items():
        voiced = voice_activity(wave, rate)
        per_sample = np.repeat(voiced, round(rate / VOICE_RATE))[: len(wave)]
        energy = np.square(wave[: len(per_sample)], dtype=np.float64)
        assert energy[per_sample].sum() > 0.95 * energy.sum(), name


def test_decisions_do_not_depend_on_the_rate(speech: Speech) -> None:
    for wave, rate in speech.values():
        here = voice_activity(resample(wave, rate, 16_000), 16_000)
        there = voice_activity(resample(wave, rate, 22_050), 22_050)
        n = min(len(here), len(there))
        assert np.mean(here[:n] == there[:n]) > 0.95


def test_speech_in_noise_is_found_and_noise_alone_is_not(speech: Speech) -> None:
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


@pytest.mark.parametrize("snr", [20, 10, 5, 0])
@pytest.mark.parametrize("kind", ["white", "pink", "fan", "hum", "gusts", "song"])
def test_speech_is_found_under_noise_and_music(speech: Speech, kind: str, snr: int) -> None:
    for name, (wave, rate) in speech.items():
        wave = resample(wave, rate, 16_000)
        clean = energy_rule(wave)
        make = music if kind in MUSIC else noise
        added = make(kind, len(wave), np.random.default_rng(0))
        gain = np.sqrt(np.mean(wave**2) / np.mean(added**2)) * 10 ** (-snr / 20)
        assert voice_activity(wave + gain * added, 16_000)[clean].mean() > 0.65, name


@pytest.mark.parametrize("gain", [0.03, 1, 10])
@pytest.mark.parametrize("kind", ["gusts", "surf", "typing", "siren", "beeps", "rumble", *MUSIC])
def test_noise_that_comes_and_goes_and_music_are_no_voice(kind: str, gain: float) -> None:
    wave = alone(kind)
    voiced = voice_activity((gain * wave).astype(np.float32), 16_000)
    assert voiced.sum() < 15  # a window of 3.6 s with less counts as without voice
    if kind not in ("siren", "rumble"):
        assert energy_rule(wave).sum() > 100  # what comes and goes is audible


@pytest.mark.parametrize("name", SCREAMS)
def test_screams_are_voices(corpora: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """15 decisions make a window one with a voice."""
    wave, rate = soundfile.read(corpora / "ravdess/audio" / f"{name}.flac", dtype="float32")
    assert voice_activity(wave, rate).sum() >= 15
    monkeypatch.setattr(vad, "SLOWDOWNS", (1.0,))
    assert voice_activity(wave, rate).sum() < 15


def test_quiet_and_offset_speech_is_found(speech: Speech) -> None:
    for name, (wave, rate) in speech.items():
        clean = voice_activity(wave, rate)
        assert voice_activity(wave + np.float32(0.02), rate)[clean].mean() > 0.99, name
        assert voice_activity(wave * np.float32(0.03), rate)[clean].mean() > 0.6, name


def test_clicks_are_no_voice() -> None:
    wave = np.full(48_000, 1e-4, np.float32)
    wave[8000::16_000] = 0.8
    assert not voice_activity(wave, 16_000).any()


def test_short_pauses_are_filled_and_bursts_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of probabilities given for each 10 ms; a frame of the network is 23 or 43 ms long."""
    given = np.zeros(400, np.float32)
    given[[*range(100, 140), *range(155, 200), *range(230, 260)]] = 0.9  # pauses of 150, 300 ms

    def probabilities(wave: np.ndarray) -> np.ndarray:
        n = len(wave) // vad.FRAME
        return given[((np.arange(n) + 0.5) * 400 / n).astype(int)]

    monkeypatch.setattr(vad, "_speech_probabilities", probabilities)
    voiced = voice_activity(np.zeros(64_000, np.float32), 16_000)
    edges = np.flatnonzero(np.diff(voiced.astype(int))) + 1
    np.testing.assert_allclose(edges, [100, 200, 230, 260], atol=4)
    monkeypatch.setattr(vad, "SLOWDOWNS", (1.4,))
    given[:] = 0
    given[300:302] = 0.9
    assert probabilities(np.zeros(89_600)).any()
    assert not voice_activity(np.zeros(64_000, np.float32), 16_000).any()


def test_an_hour_is_read_in_blocks_that_give_the_same(
    speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave, rate = speech["03-01-05-02-01-01-24.flac"]
    whole = voice_activity(wave, rate)
    monkeypatch.setattr(vad, "BLOCK", 7)
    np.testing.assert_array_equal(voice_activity(wave, rate), whole)


def test_one_line_if_the_network_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "WEIGHTS", tmp_path)
    packaged_network.cache_clear()
    with pytest.raises(CheckpointError, match=r"load .*vad\.onnx: .*; install avtca again$"):
        voice_activity(np.zeros(16_000, np.float32), 16_000)
    packaged_network.cache_clear()


@pytest.mark.parametrize("n", [0, 1, 100, 161])
def test_very_short_waves(n: int) -> None:
    assert voice_activity(np.ones(n, np.float32), 16_000).shape == (int(np.ceil(n / 160)),)


def test_a_filtered_waveform_is_not_filtered_again(speech: Speech) -> None:
    for name, (wave, rate) in speech.items():
        filtered = high_pass(wave, rate)
        found = voice_activity(filtered, rate, filtered=True)
        np.testing.assert_array_equal(found, voice_activity(wave, rate), name)
