"""The high-pass filter: what it removes, what it keeps, and both ends of a waveform."""

import numpy as np
import pytest

from avtca.audio import high_pass, voice_activity


def _tone(hz: float, rate: int, seconds: float = 3.0, phase: float = 0.7) -> np.ndarray:
    time_s = np.arange(round(seconds * rate)) / rate
    return (0.1 * np.sin(2 * np.pi * hz * time_s + phase)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 48_000])
@pytest.mark.parametrize("hz", [1, 3, 10, 20, 50, 60])
def test_low_tones_are_removed_from_the_first_sample(rate, hz):
    for phase in (0, 0.8, np.pi / 2, 2.5):
        rest = np.abs(high_pass(_tone(hz, rate, phase=phase), rate))
        assert rest[rate // 2 : -rate // 2].max() < 2e-5  # 74 dB
        assert rest.max() < (2e-2 if hz == 1 else 2e-3)  # slower than the filter is long


@pytest.mark.parametrize("hz", [85, 100, 1000, 7000])
def test_speech_is_kept(hz):
    tone = _tone(hz, 16_000)
    middle = slice(4000, -4000)
    np.testing.assert_allclose(high_pass(tone, 16_000)[middle], tone[middle], atol=3e-5)


@pytest.mark.parametrize("n", [2, 100, 1607, 7000, 20_000, 100_000])
@pytest.mark.parametrize("offset", [0.02, -0.1])
def test_an_offset_changes_no_sample(n, offset):
    wave = 0.1 * np.random.default_rng(n).standard_normal(n).astype(np.float32)
    moved = high_pass(wave + np.float32(offset), 16_000)
    np.testing.assert_allclose(moved, high_pass(wave, 16_000), atol=1e-6)
    assert np.abs(high_pass(np.full(n, offset, np.float32), 16_000)).max() < 1e-9


def test_parts_equal_the_whole_away_from_their_ends():
    wave = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    whole = high_pass(wave, 16_000)
    for start in (0, 33_333, 70_001):
        part = high_pass(wave[start : start + 60_000], 16_000)
        inner = slice(1700, -1700)  # the filter reaches 0.1 s
        np.testing.assert_allclose(part[inner], whole[start : start + 60_000][inner], atol=2e-6)


def test_no_samples_and_one_sample():
    assert not len(high_pass(np.zeros(0, np.float32), 16_000))
    assert high_pass(np.ones(1, np.float32), 16_000).tolist() == [0]


@pytest.mark.parametrize("added", ["offset", "rumble", "hum"])
def test_voice_activity_ignores_low_frequencies(speech, added):
    for wave, rate in speech.values():
        low = {"offset": 0, "rumble": 15, "hum": 60}[added]
        noise = 0.1 * np.cos(2 * np.pi * low * np.arange(len(wave)) / rate)
        found = voice_activity((wave + noise).astype(np.float32), rate)
        assert np.mean(found == voice_activity(wave, rate)) > 0.99
