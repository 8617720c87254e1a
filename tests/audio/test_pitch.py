"""Pitch: tones with harmonics, glides, noise and silence, and its place beside the mel bands."""

import numpy as np
import pytest

from avtca.audio import features
from avtca.audio.pitch import pitch
from avtca.clipspec import ClipSpec

RATE = 16_000


def voice(hz: np.ndarray | float, seconds: float = 0.6) -> np.ndarray:
    """Ten harmonics that fall off, like a vowel."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hz, int(seconds * RATE))) / RATE
    return sum(np.sin(k * phase) / k for k in range(1, 11)).astype(np.float32) * 0.1


@pytest.mark.parametrize("hz", [70.0, 110.0, 201.7, 330.0, 550.0])
@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_a_tone_has_its_pitch(hz, rate):
    wave = voice(hz * RATE / rate)
    found = pitch(wave, rate, 1024, 320)
    inner = found[:, 3:-3]
    assert found.shape == (2, 1 + len(wave) // 320)
    assert np.abs(inner[0] - np.log2(hz / 200)).max() < 0.03  # a third of a semitone
    assert inner[1].min() > 0.9


def test_a_glide_is_followed_and_loudness_changes_nothing():
    hz = np.geomspace(120, 240, RATE)
    wave = voice(hz, 1.0)
    found = pitch(wave, RATE, 1024, 160)[0]
    wanted = np.log2(hz[np.arange(len(found) - 1) * 160] / 200)
    assert np.abs(found[4:-4] - wanted[4:-3]).max() < 0.04
    assert np.allclose(pitch(wave * 0.01, RATE, 1024, 160)[0][4:-4], found[4:-4], atol=0.01)


def test_noise_and_silence_are_not_voiced():
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    assert np.median(pitch(noise, RATE, 1024, 320)[1]) < 0.35
    found = pitch(np.zeros(4000, np.float32), RATE, 1024, 320)
    assert np.isfinite(found).all() and (found[1] == 0).all()


def test_features_are_the_bands_and_then_pitch_and_voicing():
    sizes = {"sample_rate": RATE, "n_fft": 1024, "hop": 320}
    wave = voice(180.0)
    both = features(wave, ClipSpec(audio="logmel+pitch", audio_dim=42, **sizes))
    assert np.array_equal(
        both[:40], features(wave, ClipSpec(audio="logmel", audio_dim=40, **sizes))
    )
    assert np.array_equal(both[40:], pitch(wave, RATE, 1024, 320))
    with pytest.raises(ValueError, match="counts mel bands and 2 rows of pitch, found 2"):
        ClipSpec(audio="logmel+pitch", audio_dim=2)
