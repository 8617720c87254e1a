"""MFCC and log-mel against librosa on real speech, and against formulas."""

from typing import Any

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from avtca.audio import features, mel_filters, resample
from avtca.clipspec import ClipSpec
from avtca.errors import ConfigError, MediaError

SPECS = [
    ClipSpec(),
    ClipSpec(sample_rate=16_000, n_fft=512, hop=160, audio_dim=40),
    ClipSpec(sample_rate=16_000, n_fft=1024, hop=256, audio_dim=13),
    ClipSpec(sample_rate=16_000, n_fft=512, hop=160, audio="logmel", audio_dim=64),
    ClipSpec(sample_rate=16_000, n_fft=400, hop=160, audio="logmel", audio_dim=40),
    ClipSpec(audio="logmel", audio_dim=80),
]


def oracle(wave: NDArray[np.floating], spec: ClipSpec) -> NDArray[np.floating]:
    sizes = {"sr": spec.sample_rate, "n_fft": spec.n_fft, "hop_length": spec.hop}
    if spec.audio == "mfcc":
        return librosa.feature.mfcc(y=wave, n_mfcc=spec.audio_dim, **sizes)
    power = librosa.feature.melspectrogram(y=wave, n_mels=spec.audio_dim, **sizes)
    return librosa.power_to_db(power, top_db=None)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.audio}{s.audio_dim}-{s.n_fft}")
def test_equals_librosa_on_real_speech(speech: dict[str, Any], spec: ClipSpec) -> None:
    for name, (wave, rate) in speech.items():
        wave = resample(wave, rate, spec.sample_rate)
        ours = features(wave, spec)
        assert ours.dtype == np.float32
        assert ours.shape == (spec.audio_dim, 1 + len(wave) // spec.hop)
        # librosa in double precision is the reference; in single precision its own rounding
        # at values near 1000 is 1e-4 to 2e-4.
        difference = np.abs(ours - oracle(wave.astype(np.float64), spec)).max()
        assert difference < 1e-4, (name, difference)
        np.testing.assert_allclose(ours, oracle(wave, spec), rtol=2e-7, atol=2e-4, err_msg=name)


@pytest.mark.filterwarnings("ignore:n_fft")
@pytest.mark.parametrize("n", [1, 100, 511, 512, 513, 2047, 2048])
def test_equals_librosa_on_waves_around_a_frame(n: int) -> None:
    wave = np.random.default_rng(n).standard_normal(n)
    for spec in (SPECS[0], SPECS[3]):
        ours = features(wave, spec)
        np.testing.assert_allclose(ours, oracle(wave.astype("f4").astype("f8"), spec), atol=1e-4)


@pytest.mark.filterwarnings("ignore:Empty filters")
@pytest.mark.parametrize(
    "rate, n_fft, n_mels", [(16_000, 512, 128), (22_050, 2048, 128), (8000, 256, 23)]
)
def test_filters_equal_librosa(rate: int, n_fft: int, n_mels: int) -> None:
    ours = mel_filters(rate, n_fft, n_mels)
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, dtype=np.float64)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)
    with pytest.raises(ValueError, match="read-only"):
        ours[0, 0] = 1


@pytest.mark.parametrize("spec", SPECS[:1] + SPECS[3:4], ids=lambda s: s.audio)
def test_silence_is_finite_and_flat(spec: ClipSpec) -> None:
    out = features(np.zeros(spec.window_samples, np.float32), spec)
    assert out.shape == (spec.audio_dim, spec.audio_steps)
    if spec.audio == "logmel":
        np.testing.assert_array_equal(out, -100)
    else:
        np.testing.assert_allclose(out[0], -100 * np.sqrt(128), rtol=1e-6)
        np.testing.assert_allclose(out[1:], 0, atol=1e-4)
    assert features(np.zeros(0, np.float32), spec).shape == (spec.audio_dim, 1)


def test_a_tone_lights_its_own_mel_band() -> None:
    spec = SPECS[3]
    centres = librosa.mel_frequencies(n_mels=66, fmax=8000)[1:-1]
    time_s = np.arange(spec.window_samples) / spec.sample_rate
    for hz in (440.0, 1000.0, 3000.0):
        loud = features(np.sin(2 * np.pi * hz * time_s), spec)[:, 50].argmax()
        assert abs(centres[loud] / hz - 1) < 0.06


def test_logmel_frames_depend_on_their_own_samples_only() -> None:
    spec = SPECS[3]
    rng = np.random.default_rng(0)
    wave = rng.standard_normal(16_000).astype(np.float32) * 0.01
    louder = wave.copy()
    louder[12_000:] *= 1000
    same = (12_000 - spec.n_fft // 2) // spec.hop
    one, two = features(wave, spec), features(louder, spec)
    np.testing.assert_array_equal(one[:, :same], two[:, :same])
    assert np.abs(one[:, same + 5 :] - two[:, same + 5 :]).min() > 10
    mfcc = SPECS[1]  # the MFCC's clipping under the loudest band does reach the other frames
    assert (features(wave, mfcc)[:, :same] != features(louder, mfcc)[:, :same]).any()


def test_gain_moves_logmel_by_its_decibels() -> None:
    wave = np.random.default_rng(1).standard_normal(8000).astype(np.float32)
    np.testing.assert_allclose(
        features(wave * np.float32(0.1), SPECS[3]), features(wave, SPECS[3]) - 20, atol=1e-4
    )


def test_wrong_input_is_refused_with_a_fix() -> None:
    wave = np.zeros(1000, np.float32)
    with pytest.raises(ConfigError, match="corpus"):
        features(wave, ClipSpec(audio="features", audio_dim=74))
    with pytest.raises(ConfigError, match="128"):
        features(wave, ClipSpec(audio_dim=129))
    for wrong in (np.zeros((2, 1000), np.float32), np.zeros(1000, np.int16)):
        with pytest.raises(ValueError, match="waveform"):
            features(wrong, ClipSpec())  # type: ignore[arg-type]
    for value in (np.nan, np.inf):
        with pytest.raises(MediaError, match="finite"):
            features(np.append(wave, np.float32(value)), ClipSpec())


def test_the_argument_is_left_alone_and_the_same_in_is_the_same_out() -> None:
    wave = np.random.default_rng(2).standard_normal(9000).astype(np.float32)
    before = wave.copy()
    for spec in SPECS:
        np.testing.assert_array_equal(features(wave, spec), features(wave, spec))
    np.testing.assert_array_equal(wave, before)
