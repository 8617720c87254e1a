"""Windows cover everything, masks tell what is real, the same in is the same out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avtca.audio import features, high_pass
from avtca.clipspec import ClipSpec
from avtca.preprocess import (
    audio_series_window,
    audio_window,
    stack,
    video_window,
    window_start_steps,
)

PIXELS = ClipSpec(crop_px=8, video_steps=12, window_s=3.0)
VECTORS = replace(PIXELS, video="features", video_features="expression7", video_dim=7)


@settings(max_examples=300, deadline=None)
@given(
    duration=st.floats(0, 200),
    window=st.floats(0.5, 12),
    steps=st.integers(1, 60),
    share=st.floats(0.01, 1),
)
def test_windows_cover_every_step_once_or_more(
    duration: float, window: float, steps: int, share: float
) -> None:
    spec = ClipSpec(window_s=window, video_steps=steps)
    starts = window_start_steps(duration, spec, hop_s=window * share)
    assert starts == sorted(set(starts)) and starts[0] == 0
    covered = np.zeros(starts[-1] + steps, bool)
    for start in starts:
        covered[start : start + steps] = True
    assert covered.all()
    end_s = len(covered) / spec.video_rate
    assert end_s >= duration - 1e-5 * window
    if len(starts) > 1:  # the last window ends with the file, within one step
        assert end_s - duration < 1 / spec.video_rate + 1e-5 * window


def test_windows_of_known_files() -> None:
    spec = ClipSpec(window_s=3.0, video_steps=12)  # 4 steps a second
    assert window_start_steps(0.0, spec) == [0]
    assert window_start_steps(3.0, spec) == [0]
    assert window_start_steps(3.1, spec) == [0, 1]
    assert window_start_steps(6.0, spec) == [0, 6, 12]
    assert window_start_steps(10.0, spec, hop_s=3.0) == [0, 12, 24, 28]
    assert window_start_steps(4.0, spec, hop_s=0.001) == [0, 1, 2, 3, 4]
    for hop in (0.0, -1.0):
        with pytest.raises(ValueError, match="hop"):
            window_start_steps(4.0, spec, hop_s=hop)


def test_pixels_are_scaled_moved_and_masked() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
    values, mask = video_window(np.array([9, 10, 13, 30]), crops, 10, PIXELS)
    assert values.shape == (12, 3, 8, 8) and values.dtype == np.float32
    assert np.flatnonzero(mask).tolist() == [0, 3]
    expected = crops[1].transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(values[0], expected)
    np.testing.assert_allclose(values[3], crops[2].transpose(2, 0, 1) / 255, rtol=1e-6)
    assert not values[~mask].any()


def test_grey_pixels_get_their_channel() -> None:
    spec = replace(PIXELS, colour="grey")
    crops = np.full((2, 8, 8), 51, np.uint8)
    values, mask = video_window(np.array([0, 11]), crops, 0, spec)
    assert values.shape == (12, 1, 8, 8) and mask.sum() == 2
    np.testing.assert_allclose(values[[0, 11]], 0.2, rtol=1e-6)


def test_values_of_one_step_are_averaged() -> None:
    rng = np.random.default_rng(1)
    steps = np.sort(rng.integers(0, 14, 40))
    series = rng.standard_normal((40, 7)).astype(np.float32)
    values, mask = video_window(steps, series, 1, VECTORS)
    for k in range(12):
        mine = series[steps == k + 1]
        assert mask[k] == bool(len(mine))
        np.testing.assert_allclose(values[k], mine.mean(0) if len(mine) else 0, atol=1e-6)
    crops = np.stack([np.full((8, 8, 3), v, np.uint8) for v in (0, 255)])
    values, _ = video_window(np.array([2, 2]), crops, 0, PIXELS)
    np.testing.assert_allclose(values[2], 0.5)


def test_no_face_is_a_mask_and_wrong_values_are_refused() -> None:
    values, mask = video_window(np.zeros(0, int), np.zeros((0, 8, 8, 3), np.uint8), 0, PIXELS)
    assert not mask.any() and not values.any() and values.shape == (12, 3, 8, 8)
    step = np.array([0])
    for wrong in (
        np.zeros((1, 9, 9, 3), np.uint8),
        np.zeros((1, 8, 8), np.uint8),
        np.zeros((1, 8, 8, 3), np.float32),
    ):
        with pytest.raises(ValueError):
            video_window(step, wrong, 0, PIXELS)
    with pytest.raises(ValueError, match="7"):
        video_window(step, np.zeros((1, 6), np.float32), 0, VECTORS)


def test_audio_mask_caveats_frames_centred_on_real_samples() -> None:
    spec = ClipSpec()
    wave = np.random.default_rng(2).standard_normal(30_000).astype(np.float32)
    values, mask = audio_window(wave, spec)
    assert values.shape == (10, 156) and values.dtype == np.float32
    assert mask.sum() == np.ceil(30_000 / 512)
    assert mask[: mask.sum()].all()
    assert not values[:, ~mask].any()
    padded = np.pad(wave, (0, spec.window_samples - len(wave)))
    np.testing.assert_array_equal(values[:, mask], features(padded, spec)[:, mask])


def test_a_full_window_is_real_throughout() -> None:
    spec = ClipSpec()
    wave = np.random.default_rng(3).standard_normal(spec.window_samples).astype(np.float32)
    values, mask = audio_window(wave, spec)
    assert mask.all()
    np.testing.assert_array_equal(values, features(wave, spec))


def test_a_high_pass_comes_before_the_features_and_sees_real_samples_only() -> None:
    spec = ClipSpec(high_pass=True)
    wave = np.random.default_rng(3).standard_normal(30_000).astype(np.float32) + np.float32(0.5)
    values, mask = audio_window(wave, spec)
    filtered = np.pad(high_pass(wave, spec.sample_rate), (0, spec.window_samples - len(wave)))
    np.testing.assert_array_equal(values[:, mask], features(filtered, spec)[:, mask])


def test_samples_past_valid_cannot_change_anything() -> None:
    spec = ClipSpec(sample_rate=16_000, n_fft=512, hop=160, audio="logmel", audio_dim=40)
    rng = np.random.default_rng(4)
    wave = rng.standard_normal(spec.window_samples).astype(np.float32)
    other = wave.copy()
    other[20_000:] = rng.standard_normal(len(wave) - 20_000) * 9
    one, two = (audio_window(w, spec, valid=20_000) for w in (wave, other))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one[0], audio_window(wave[:20_000], spec)[0])


def test_no_audio_is_a_mask_and_wrong_waves_are_refused() -> None:
    spec = ClipSpec()
    for wave, valid in ((np.zeros(0, np.float32), None), (np.ones(500, np.float32), 0)):
        values, mask = audio_window(wave, spec, valid=valid)
        assert values.shape == (10, 156) and not values.any() and not mask.any()
    with pytest.raises(ValueError, match="window"):
        audio_window(np.zeros(spec.window_samples + 1, np.float32), spec)
    with pytest.raises(ValueError, match="int16"):
        audio_window(np.zeros(100, np.int16), spec)  # type: ignore[arg-type]
    for valid in (-1, 101):
        with pytest.raises(ValueError, match="valid"):
            audio_window(np.zeros(100, np.float32), spec, valid=valid)


def test_the_same_input_gives_the_same_bits_alone_and_in_a_batch() -> None:
    rng = np.random.default_rng(5)
    spec = PIXELS

    def window(seed: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(seed)
        crops = rng.integers(0, 256, (12, 8, 8, 3), np.uint8)
        wave = rng.standard_normal(spec.window_samples - 1000 * seed).astype(np.float32)
        return (*video_window(np.arange(12), crops, 0, spec), *audio_window(wave, spec))

    rng.shuffle(order := [0, 1, 2, 3])
    batch = stack([window(seed) for seed in order])  # type: ignore[misc]
    assert len(batch) == 4
    for row, seed in enumerate(order):
        video, video_mask, audio, audio_mask = window(seed)
        np.testing.assert_array_equal(batch.video[row], video)
        np.testing.assert_array_equal(batch.video_mask[row], video_mask)
        np.testing.assert_array_equal(batch.audio[row], audio)
        np.testing.assert_array_equal(batch.audio_mask[row], audio_mask)


def test_shipped_audio_features_are_averaged_on_the_windows_frames() -> None:
    spec = ClipSpec(
        audio="features", audio_dim=5, sample_rate=16_000, hop=1600, n_fft=1600, window_s=2.0
    )  # ten frames a second
    times = np.arange(400) / 100 + 1.0
    times = times[(times < 1.8) | (times > 2.2)]  # a gap of four frames
    values = np.random.default_rng(6).standard_normal((5, len(times))).astype(np.float32)
    out, mask = audio_series_window(times, values, 0.5, spec)
    assert out.shape == (5, 21) and out.dtype == np.float32
    for j in range(21):
        centre = 0.5 + j / 10
        mine = (times > centre - 0.0501) & (times < centre + 0.0499)
        assert mask[j] == mine.any(), j
        expected = values[:, mine].mean(1) if mine.any() else np.zeros(5)
        np.testing.assert_allclose(out[:, j], expected, atol=1e-6)
    assert mask.sum() == 21 - 5 - 3
    assert not audio_series_window(times, values, 50.0, spec)[1].any()
    assert not audio_series_window(times[:0], values[:, :0], 0.0, spec)[1].any()
    with pytest.raises(ValueError, match="audio features"):
        audio_series_window(times, values[:4], 0.5, spec)
