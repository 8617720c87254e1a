"""Speed perturbation keeps video and audio together."""

from dataclasses import replace

import numpy as np
import pytest

from avtca.clipspec import ClipSpec
from avtca.data.dataset import EmotionDataset
from avtca.data.speed import vary_speed
from avtca.preprocess import RawSample

SPEC = ClipSpec(window_s=2.0, video_steps=20, crop_px=2, colour="grey", sample_rate=8000)
SPEC_2 = replace(SPEC, labels=("one",))


def clicks(seconds: float = 4.0) -> RawSample:
    """A click of audio and a flash of light every 0.5 s."""
    wave = np.zeros(round(seconds * SPEC.sample_rate), np.float32)
    steps = np.arange(round(seconds * SPEC.video_rate))
    crops = np.zeros((len(steps), 2, 2), np.uint8)
    for k in range(1, 8):
        wave[4000 * k : 4000 * k + 80] = 1
        crops[5 * k] = 255
    return RawSample(steps, crops, wave, seconds)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_speed_keeps_video_and_audio_together(factor: float) -> None:
    raw = clicks()
    out = vary_speed(raw, factor, SPEC)
    assert out.duration_s == pytest.approx(4 / factor)
    assert len(out.wave) == pytest.approx(len(raw.wave) / factor, abs=1)
    assert len(out.steps) == round(40 / factor)
    flashes = out.steps[out.video[:, 0, 0] > 0]
    loud = np.flatnonzero(out.wave > 0.5) / SPEC.sample_rate
    heard = np.unique(np.floor(loud / 0.25 * factor * 0.5 + 0.5))
    assert len(heard) == 7
    for k in range(1, 8):
        at = 0.5 * k / factor
        assert np.abs(loud - at).min() < 0.005
        assert np.abs((flashes + 0.5) / SPEC.video_rate - at).min() <= 1.5 / SPEC.video_rate


def test_speed_leaves_gaps_where_there_was_no_face() -> None:
    raw = clicks()
    kept = (raw.steps < 10) | (raw.steps >= 20)
    gappy = RawSample(raw.steps[kept], raw.video[kept], raw.wave, raw.duration_s)
    out = vary_speed(gappy, 1.25, SPEC)
    assert not set(out.steps.tolist()) & set(range(8, 16))
    assert {7, 16} <= set(out.steps.tolist())


def test_speed_moves_features_and_their_times() -> None:
    steps = np.repeat(np.arange(10), 3)
    values = np.arange(30, dtype=np.float32)[:, None]
    times = np.arange(100) / 100
    raw = RawSample(
        steps, values, np.zeros(0, np.float32), 1.0, np.ones((2, 100), np.float32), times
    )
    out = vary_speed(raw, 2.0, SPEC)
    assert out.steps.tolist() == np.repeat(np.arange(5), 3).tolist()
    assert out.video[:3, 0].tolist() == [3, 4, 5]
    np.testing.assert_allclose(out.audio_times, times / 2)
    with pytest.raises(ValueError, match="positive"):
        vary_speed(raw, 0, SPEC)


def test_windows_are_cached_for_each_speed() -> None:
    dataset = EmotionDataset(SPEC_2, ["a"], ["1"], [4.0], np.ones((1, 1), np.float32), [clicks()])
    for factor in (1.0, 1.25, 1.0):
        wanted = dataset.cut_audio(0, vary_speed(clicks(), factor, SPEC_2), 3)
        for got, want in zip(dataset.audio(0, 3, factor), wanted, strict=True):
            np.testing.assert_array_equal(got, want)
    assert len(dataset.cache) == 2
