"""Each augmentation changes the tensor as it says, keeps length and type, and leaves its input."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from avtca.audio.augment import (
    WaveAugment,
    add_noise,
    band_limit,
    gain,
    mu_law,
    reverberate,
    room_response,
    shift,
    speed,
    telephone,
    vary_channel,
)
from avtca.audio.transform_size import fast_size

RATE = 16_000
Wave = NDArray[np.float32]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def wave(rng: np.random.Generator) -> Wave:
    """Two seconds of modulated noise, with energy at all frequencies."""
    time_s = np.arange(2 * RATE) / RATE
    return (0.1 * rng.standard_normal(2 * RATE) * np.sin(3 * time_s)).astype(np.float32)


def band_power(wave: NDArray[Any], low: float, high: float) -> float:
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    return float(np.sum(np.abs(np.fft.rfft(wave))[(hz >= low) & (hz < high)] ** 2))


KEEP_LENGTH: dict[str, Callable[[Wave, np.random.Generator], Wave]] = {
    "gain": lambda w, r: gain(w, -3),
    "shift": lambda w, r: shift(w, 100),
    "white": lambda w, r: add_noise(w, RATE, 10, r),
    "pink": lambda w, r: add_noise(w, RATE, 10, r, colour="pink"),
    "brown": lambda w, r: add_noise(w, RATE, 10, r, colour="brown"),
    "reverberate": lambda w, r: reverberate(w, RATE, 0.4, r),
    "band_limit": lambda w, r: band_limit(w, RATE, low_hz=100, high_hz=3000),
    "mu_law": lambda w, r: mu_law(w, 6),
    "telephone": lambda w, r: telephone(w, RATE),
    "chain": lambda w, r: WaveAugment(chance=1)(w, RATE, r),
}


@pytest.mark.parametrize("name", KEEP_LENGTH)
@pytest.mark.parametrize("n", [2 * RATE, 12_345, 7, 0])
def test_length_type_and_input_are_kept_and_it_fires(
    name: str, n: int, wave: Wave, rng: np.random.Generator
) -> None:
    wave = wave[:n]
    before = wave.copy()
    out = KEEP_LENGTH[name](wave, rng)
    assert out.dtype == np.float32 and out.shape == wave.shape and np.isfinite(out).all()
    np.testing.assert_array_equal(wave, before)
    assert not np.shares_memory(out, wave)
    if n > 1000:
        assert np.abs(out - wave).max() > 1e-3


@pytest.mark.parametrize("name", [n for n in KEEP_LENGTH if n not in ("gain", "shift")])
def test_the_generator_decides(name: str, wave: Wave) -> None:
    one, two, other = (KEEP_LENGTH[name](wave, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    if name in ("white", "pink", "brown", "reverberate", "chain"):
        assert (one != other).any()


def test_gain(wave: Wave) -> None:
    np.testing.assert_allclose(gain(wave, 20), wave * 10, rtol=1e-6)
    np.testing.assert_allclose(gain(gain(wave, 6), -6), wave, rtol=1e-6)


def test_shift(wave: Wave) -> None:
    later, earlier = shift(wave, 300), shift(wave, -300)
    np.testing.assert_array_equal(later[300:], wave[:-300])
    np.testing.assert_array_equal(earlier[:-300], wave[300:])
    assert not later[:300].any() and not earlier[-300:].any()
    np.testing.assert_array_equal(shift(wave, 0), wave)
    for far in (len(wave), 10 * len(wave), -len(wave), -10 * len(wave)):
        assert not shift(wave, far).any()


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.0, 40.0])
@pytest.mark.parametrize("colour", ["white", "pink", "brown"])
def test_noise_has_the_ratio_action_for(
    snr_db: float, colour: Any, wave: Wave, rng: np.random.Generator
) -> None:
    noise = add_noise(wave, RATE, snr_db, rng, colour=colour).astype(np.float64) - wave
    assert 10 * np.log10(np.mean(wave**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize("colour, fall_db", [("white", 0.0), ("pink", 3.01), ("brown", 6.02)])
def test_noise_has_its_colour(
    colour: Any, fall_db: float, wave: Wave, rng: np.random.Generator
) -> None:
    noise = add_noise(wave, RATE, -40, rng, colour=colour) - wave
    density = [band_power(noise, f, 2 * f) / f for f in (250, 500, 1000, 2000, 4000)]
    falls = -np.diff(10 * np.log10(density))
    np.testing.assert_allclose(falls.mean(), fall_db, atol=0.5)


def test_noise_is_the_same_at_every_level(wave: Wave) -> None:
    """A robustness curve turns one noise up; it does not draw another for each level."""
    for colour in ("white", "pink"):
        loud, soft = (
            add_noise(wave, RATE, snr, np.random.default_rng(3), colour=colour) - wave
            for snr in (-20.0, 0.0)
        )
        np.testing.assert_allclose(loud, 10 * soft, atol=1e-5)


def test_sizes_of_transforms_have_small_factors() -> None:
    def smooth(n: int) -> bool:
        for factor in (2, 3, 5):
            while n % factor == 0:
                n //= factor
        return n == 1

    for n in (*range(1, 400), 12_347, 57_600, 57_613):
        size = fast_size(n)
        assert size >= n and smooth(size) and not any(smooth(k) for k in range(n, size))


def test_a_length_with_large_prime_factors_is_treated_like_others(wave: Wave) -> None:
    """12,347 is a prime: the transform is longer, silence fills it, and the end rings out."""
    n = 12_347
    cut, whole = (band_limit(w, RATE, low_hz=300, high_hz=3000) for w in (wave[:n], wave))
    inside = slice(1500, n - 1500)
    assert np.abs(cut[inside] - whole[inside]).max() < 0.01 * np.abs(whole[inside]).max()
    one, other = (reverberate(w, RATE, 0.2, np.random.default_rng(1)) for w in (wave[:n], wave))
    np.testing.assert_allclose(one, other[:n], atol=1e-6)
    noise = add_noise(wave[:n], RATE, 0, np.random.default_rng(1), colour="brown") - wave[:n]
    assert band_power(noise, 20, 200) > 5 * band_power(noise, 200, 8000)


def test_silence_stays_silence(rng: np.random.Generator) -> None:
    silence = np.zeros(RATE, np.float32)
    for change in KEEP_LENGTH.values():
        assert not change(silence, rng).any()


@pytest.mark.parametrize("factor", [0.8, 0.95, 1.1, 2.0])
def test_speed_scales_length_and_pitch(factor: float) -> None:
    tone = np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE).astype(np.float32)
    out = speed(tone, factor)
    assert out.dtype == np.float32 and len(out) == round(RATE / factor)
    peak = np.abs(np.fft.rfft(out)).argmax() * RATE / len(out)
    assert peak == pytest.approx(500 * factor, rel=0.01)
    with pytest.raises(ValueError, match="speed"):
        speed(tone, 0)


@pytest.mark.parametrize("rt60_s", [0.2, 0.5, 1.5])
def test_room_decays_sixty_decibels_in_its_time(rt60_s: float, rng: np.random.Generator) -> None:
    response = room_response(RATE, rt60_s, rng, direct_to_reverb_db=3.0)
    assert response[0] == 1
    tail = response[1:].astype(np.float64) ** 2
    assert 10 * np.log10(tail.sum()) == pytest.approx(-3.0, abs=0.01)
    # Schroeder's backward integral falls in a straight line; its slope between -5 and -25 dB.
    curve = 10 * np.log10(np.cumsum(tail[::-1])[::-1] / tail.sum())
    first, last = np.argmax(curve < -5), np.argmax(curve < -25)
    measured = 3 * (last - first) / RATE
    assert measured == pytest.approx(rt60_s, rel=0.15)


def test_reverberation_is_convolution_and_does_not_delay(rng: np.random.Generator) -> None:
    click = np.zeros(8000, np.float32)
    click[1000] = 1
    out = reverberate(click, RATE, 0.3, np.random.default_rng(1))
    response = room_response(RATE, 0.3, np.random.default_rng(1))
    assert np.abs(out[:1000]).max() < 1e-6
    np.testing.assert_allclose(out[1000 : 1000 + len(response)], response, atol=1e-6)
    with pytest.raises(ValueError, match="reverberation"):
        reverberate(click, RATE, 0, rng)


def test_band_limit_removes_what_lies_outside_and_nothing_else(wave: Wave) -> None:
    out = band_limit(wave, RATE, low_hz=300, high_hz=3000)
    for low, high in ((0, 270), (3300, 8000)):
        assert band_power(out, low, high) < 1e-8 * band_power(wave, low, high)
    kept = band_limit(out - wave, RATE, low_hz=350, high_hz=2700)
    inside = band_limit(wave, RATE, low_hz=350, high_hz=2700)
    assert band_power(kept, 350, 2700) < 1e-8 * band_power(inside, 350, 2700)
    np.testing.assert_allclose(band_limit(wave, RATE), wave, atol=1e-6)


@pytest.mark.parametrize("bits", [3, 6, 8])
def test_mu_law_has_its_levels_and_its_error(bits: int) -> None:
    ramp = np.linspace(-1.5, 1.5, 100_001).astype(np.float32)
    out = mu_law(ramp, bits)
    levels = np.unique(out)
    assert len(levels) == 2**bits - 1
    assert out.min() == pytest.approx(-1) and out.max() == pytest.approx(1)
    assert out[50_000] == 0
    inside = np.abs(ramp) <= 1
    gaps = np.diff(levels).max()
    assert np.abs(out - ramp)[inside].max() <= 0.7 * gaps
    np.testing.assert_allclose(mu_law(out, bits), out, atol=1e-6)  # already on the levels
    for wrong in (1, 17):
        with pytest.raises(ValueError, match="bits"):
            mu_law(ramp, wrong)


def test_fewer_bits_hurt_more(wave: Wave) -> None:
    errors = [np.mean((mu_law(wave, bits) - wave) ** 2) for bits in (4, 6, 8, 10)]
    assert all(a > 4 * b for a, b in pairwise(errors))


def test_telephone_has_no_highs_and_stays_in_time(wave: Wave) -> None:
    out = telephone(wave, RATE)
    assert band_power(out, 4100, 8000) < 1e-3 * band_power(out, 300, 3400)
    inside = band_limit(wave, RATE, low_hz=300, high_hz=3400)
    assert np.corrcoef(out, inside)[0, 1] > 0.98


def test_another_channel_is_one_smooth_curve(rng: np.random.Generator) -> None:
    values = rng.uniform(-60, 0, (64, 50)).astype(np.float32)
    before = values.copy()
    curves = [vary_channel(values, rng, channel_db=4.0, noise=0.0) - values for _ in range(200)]
    for curve in curves:
        np.testing.assert_allclose(curve, np.repeat(curve[:, :1], 50, 1), atol=1e-4)
        assert np.abs(np.diff(curve[:, 0])).max() < np.ptp(curve[:, 0]) / 4
    assert np.std([curve[:, 0] for curve in curves]) == pytest.approx(4.0, rel=0.15)
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(vary_channel(values, rng, channel_db=0.0, noise=0.0), values)


def test_background_fills_what_is_below_it(rng: np.random.Generator) -> None:
    """Powers add: what is far above it stays, silence becomes it, nothing gets quieter."""
    values = np.full((64, 50), -100.0, np.float32)
    values[20] = 0.0
    for _ in range(50):
        out = vary_channel(values, rng, channel_db=0.0, noise=1.0)
        added = 10 ** (out / 10) - 10 ** (values.astype(np.float64) / 10)
        floor = 10 * np.log10(added[:, 0])
        assert -50 - 25 <= np.median(floor) <= -15 + 25
        np.testing.assert_allclose(added, np.repeat(added[:, :1], 50, 1), rtol=1e-3)
        assert (out >= values).all()
    fired = [
        np.any(vary_channel(values, rng, channel_db=0, noise=0.3) != values) for _ in range(200)
    ]
    assert np.mean(fired) == pytest.approx(0.3, abs=0.1)


def test_chain_fires_as_often_as_it_says(wave: Wave) -> None:
    rng = np.random.default_rng(0)
    chain = WaveAugment(chance=0.3, gain_db=None)
    fired = np.mean([(chain(wave, RATE, rng) != wave).any() for _ in range(200)])
    assert fired == pytest.approx(1 - 0.7**4, abs=0.1)
    off = WaveAugment(gain_db=None, rt60_s=None, snr_db=None, high_hz=None, bits=None, chance=1)
    np.testing.assert_array_equal(off(wave, RATE, rng), wave)
