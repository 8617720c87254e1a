"""Resampling keeps time, level and the band."""

import numpy as np
import pytest

from avtca.audio import resample


def tone(hz: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


@pytest.mark.parametrize("source", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("target", [16_000, 22_050])
def test_a_tone_stays_itself(source: int, target: int) -> None:
    out = resample(tone(440, source), source, target)
    assert out.dtype == np.float32 and len(out) == target // 2
    inner = slice(target // 10, -target // 10)  # edges ring
    np.testing.assert_allclose(out[inner], tone(440, target)[inner], atol=2e-3)


def test_what_the_new_rate_cannot_hold_is_removed() -> None:
    out = resample(tone(10_000, 44_100), 44_100, 16_000)
    assert np.abs(out[1000:-1000]).max() < 1e-3


def test_equal_rates_copy_and_wrong_ones_are_refused() -> None:
    wave = tone(100, 8000)
    out = resample(wave, 8000, 8000)
    np.testing.assert_array_equal(out, wave)
    assert not np.shares_memory(out, wave)
    assert resample(wave[:0], 8000, 16_000).shape == (0,)
    for rates in ((0, 8000), (8000, -1)):
        with pytest.raises(ValueError, match="rates"):
            resample(wave, *rates)
    with pytest.raises(ValueError, match="mono"):
        resample(np.zeros((2, 10), np.float32), 8000, 16_000)
