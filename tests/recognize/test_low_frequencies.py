"""Offsets, rumble and hum do not change the answer of the packaged model; narrow bands warn."""

import numpy as np
import pytest

import avtca
from avtca.media import open_media

CLIPS = ["corpora/cremad/*ANG*", "corpora/cremad/*HAP*", "samples/01-01-01-01-01-01-01.mp4"]
ADDED = {
    "offset 0.02": lambda t: 0.02,
    "offset -0.1": lambda t: -0.1,
    "rumble 10 Hz": lambda t: 0.05 * np.sin(2 * np.pi * 10 * t + 1),
    "rumble 20 Hz": lambda t: 0.02 * np.sin(2 * np.pi * 20 * t),
    "hum 50 Hz": lambda t: 0.02 * np.cos(2 * np.pi * 50 * t),
    "hum 60 Hz": lambda t: 0.02 * np.sin(2 * np.pi * 60 * t + 2),
}


@pytest.fixture(scope="module")
def recognizer():
    return avtca.load()


@pytest.mark.parametrize("pattern", CLIPS)
def test_the_audio_alone_keeps_its_scores(recognizer, shared, pattern):
    wave = np.concatenate(list(open_media(sorted(shared.glob(pattern))[0]).audio(44_100)))
    clean = recognizer.predict({"waveform": wave, "sample_rate": 44_100})
    t = np.arange(len(wave)) / 44_100
    for name, added in ADDED.items():
        noisy = (wave + added(t)).astype(np.float32)
        found = recognizer.predict({"waveform": noisy, "sample_rate": 44_100})
        first, second = sorted(clean.scores.values())[:-3:-1]
        assert found.confident is clean.confident, name
        assert found.top == clean.top or first - second < 0.05, name
        assert found.scores == pytest.approx(clean.scores, abs=0.05), name
        assert found.coverage.voice == pytest.approx(clean.coverage.voice, abs=0.01), name


def test_files_with_an_offset(recognizer, shared):
    clean = recognizer.predict(shared / "faults/hap_pcm.mkv")
    found = recognizer.predict(shared / "faults/hap_dc02.mkv")
    assert not found.confident and not clean.confident
    first, second = sorted(clean.scores.values())[:-3:-1]
    assert found.top == clean.top or first - second < 0.05
    assert found.scores == pytest.approx(clean.scores, abs=0.05)
    wave = np.concatenate(list(open_media(shared / "faults/ang_dc02.wav").audio(48_000)))
    clean = recognizer.predict({"waveform": wave - np.float32(0.02), "sample_rate": 48_000})
    found = recognizer.predict(shared / "faults/ang_dc02.wav")
    assert (found.top, found.confident) == (clean.top, clean.confident)
    assert found.scores == pytest.approx(clean.scores, abs=0.01)


def test_a_lower_sample_rate_than_the_model_gets_a_warning(recognizer, shared):
    media = open_media(shared / "faults/ang_dc02.wav")
    waves = {rate: np.concatenate(list(media.audio(rate))) for rate in (8_000, 16_000)}
    warnings = {
        rate: recognizer.predict({"waveform": wave, "sample_rate": rate}).warnings
        for rate, wave in waves.items()
    }
    assert any(line.startswith("the audio has 8000 Hz") for line in warnings[8_000])
    assert not any("Hz" in line for line in warnings[16_000])
