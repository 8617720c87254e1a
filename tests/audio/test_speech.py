"""The speech encoder: Whisper's log-mel, tokens of real samples alone, one line for bad input."""

import librosa
import numpy as np
import pytest

from avtca.audio.speech import MAX_TOKENS, TOKEN_DIM, loud_tokens, speech_tokens, whisper_log_mel
from avtca.clipspec import ClipSpec
from avtca.errors import MediaError
from avtca.preprocess import audio_window

RATE = 16_000
SPEC = ClipSpec(
    audio="whisper_base_3", audio_dim=512, n_fft=400, hop=320, sample_rate=RATE, labels=("a",)
)

RECORDED = [0.1062, -0.114, 0.8304, 0.2974, 0.6402, 0.3876, 0.1401, 0.175]
"""Mean and deviation of the first four dimensions, from the packaged file."""


def chirp(seconds: float) -> np.ndarray:
    """A tone that rises from 200 Hz, with noise."""
    t = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(t))
    return (0.1 * np.sin(2 * np.pi * (200 + 300 * t) * t) + 0.01 * noise).astype(np.float32)


def test_log_mel_is_whispers() -> None:
    wave = chirp(2.0)
    power = librosa.feature.melspectrogram(
        y=wave.astype(np.float64), sr=RATE, n_fft=400, hop_length=160, n_mels=80, pad_mode="reflect"
    )[:, :-1]
    bels = np.log10(np.maximum(power, 1e-10))
    wanted = (np.maximum(bels, bels.max() - 8) + 4) / 4
    found = whisper_log_mel(wave)
    assert found.shape == (80, 200) and found.dtype == np.float32
    assert np.abs(found - wanted).max() < 1e-4


@pytest.mark.parametrize(("samples", "tokens"), [(1, 1), (320, 1), (321, 2), (57_600, 180)])
def test_a_token_for_each_20_ms(samples: int, tokens: int) -> None:
    found = speech_tokens(chirp(4.0)[:samples])
    assert found.shape == (TOKEN_DIM, tokens) and found.dtype == np.float32
    assert np.isfinite(found).all()


def test_tokens_are_those_of_the_recorded_encoder() -> None:
    found = speech_tokens(chirp(1.0))
    summary = [*found[:4].mean(1), *found[:4].std(1)]
    assert summary == pytest.approx(RECORDED, abs=0.02)


def test_a_window_holds_the_tokens_of_its_real_samples_and_zeros() -> None:
    wave = chirp(3.0)
    values, mask = audio_window(wave, SPEC, valid=20_000)
    assert values.shape == (512, 181) and mask.sum() == 63
    assert np.array_equal(values[:, :63], speech_tokens(wave[:20_000]))
    assert not values[:, 63:].any()
    silent, nothing = audio_window(wave, SPEC, valid=0)
    assert not silent.any() and not nothing.any()


def test_silence_is_masked_and_short_pauses_are_not() -> None:
    wave = chirp(3.0)
    wave[:RATE] *= 0.01  # 40 dB below
    wave[2 * RATE : 2 * RATE + RATE // 25] = 0  # 40 ms
    loud = loud_tokens(wave)
    assert loud.shape == (150,)
    assert not loud[:47].any() and loud[50:].all()
    values, mask = audio_window(wave, SPEC)
    assert np.array_equal(mask[:150], loud) and not mask[150:].any()
    assert not values[:, ~mask].any()


def test_digital_silence_has_tokens_like_any_other_audio() -> None:
    values, mask = audio_window(np.zeros(RATE, np.float32), SPEC)
    assert mask.sum() == 50 and np.isfinite(values).all()


def test_samples_that_are_not_finite_are_one_line() -> None:
    wave = chirp(1.0)
    wave[100] = np.nan
    with pytest.raises(MediaError, match="not finite numbers"):
        speech_tokens(wave)


def test_lengths_beyond_the_positions_are_refused() -> None:
    with pytest.raises(ValueError, match="takes 1 to 240000"):
        speech_tokens(np.zeros(MAX_TOKENS * 320 + 1, np.float32))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"audio_dim": 64}, "ClipSpec.audio_dim is 512 for whisper_base_3, found 64"),
        ({"sample_rate": 22_050}, "ClipSpec.sample_rate is 16000 for whisper_base_3, found 22050"),
        ({"window_s": 20}, "ClipSpec.window_s is at most 15 for whisper_base_3, found 20"),
    ],
)
def test_other_sizes_are_refused(change: dict[str, float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ClipSpec(**{**SPEC.to_dict(), **change})
