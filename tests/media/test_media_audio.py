"""Audio: scale, channels, clock, gaps, resampling."""

from itertools import pairwise

import av
import numpy as np
import pytest
from media_clips import RATE, beep, encode, levels, tone

from avtca.media import audio, open_media


def whole(clip, rate=16_000):
    return np.concatenate(list(clip.audio(rate)))


@pytest.mark.parametrize(
    "codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "flac"]
)
def test_sample_formats_have_one_scale(tmp_path, codec):
    wave = tone(0.5, 16_000)
    clip = open_media(encode(tmp_path / "a.mkv", audios=[wave], audio=codec, rate=16_000))
    read = whole(clip)
    assert read.dtype == np.float32 and read.ndim == 1 and len(read) == wave.shape[1]
    step = 2 / 256 if codec == "pcm_u8" else 1e-4
    np.testing.assert_allclose(read, wave[0], atol=step)


@pytest.mark.parametrize(("layout", "n"), [("mono", 1), ("stereo", 2), ("quad", 4)])
@pytest.mark.parametrize("codec", ["pcm_s16le", "flac"])
def test_mean_over_channels(tmp_path, layout, n, codec):
    wave = tone(0.5, 16_000, channels=n)
    wave *= np.linspace(1, -0.4, n, dtype=np.float32)[:, None]
    path = encode(tmp_path / "a.mkv", audios=[wave], audio=codec, rate=16_000, layout=layout)
    clip = open_media(path)
    assert clip.info.channels == n
    np.testing.assert_allclose(whole(clip), wave.mean(0), atol=1e-4)


def test_stream_equals_resampling_at_once(tmp_path):
    import soxr

    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 3 * 44_100 + 17)).astype(np.float32)
    wave[:, [0, -1]] = 0
    path = encode(tmp_path / "a.wav", audios=[wave], audio="pcm_f32le", rate=44_100)
    blocks = list(open_media(path).audio(16_000))
    assert len(blocks) > 2
    expect = soxr.resample(wave[0], 44_100, 16_000)
    np.testing.assert_allclose(np.concatenate(blocks), expect, atol=1e-6)


def test_first_of_two_tracks_with_a_warning(tmp_path):
    path = encode(tmp_path / "a.mkv", audios=[beep(1, 0.2, 0.2), beep(1, 0.7, 0.2)], audio="flac")
    clip = open_media(path)
    assert clip.info.audio_tracks == 2
    assert clip.warnings == ["2 audio tracks: track 1 is used"]
    loud = np.flatnonzero(np.abs(whole(clip)) > 0.25) / 16_000
    assert loud[0] == pytest.approx(0.2, abs=2e-3) and loud[-1] == pytest.approx(0.4, abs=2e-3)


def test_numbers_that_are_none_become_silence(tmp_path):
    wave = tone(0.5, 16_000)
    wave[0, 100], wave[0, 200], wave[0, 300] = np.nan, np.inf, 1e30
    path = encode(tmp_path / "a.wav", audios=[wave], audio="pcm_f32le", rate=16_000)
    read = whole(open_media(path))
    assert read[100] == 0 and read[200] == read[300] == 4 and np.isfinite(read).all()


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov"])
def test_late_audio_is_preceded_by_zeros(tmp_path, name):
    path = encode(
        tmp_path / name, pictures=levels(20), audios=[tone(1)], audio_start=0.6, audio="flac"
    ) if name.endswith("mkv") else encode(
        tmp_path / name, pictures=levels(20), audios=[tone(1)], audio_start=0.6
    )  # fmt: skip
    wave = whole(open_media(path))
    loud = np.flatnonzero(np.abs(wave) > 0.25) / 16_000
    assert loud[0] == pytest.approx(0.6, abs=2e-3)
    assert np.abs(wave[: int(0.57 * 16_000)]).max() < 1e-3
    assert len(wave) / 16_000 == pytest.approx(1.6, abs=0.03)


def test_a_gap_is_filled_with_zeros(tmp_path):
    wave = tone(3, RATE)
    path = encode(tmp_path / "g.mkv", audios=[wave], audio="pcm_s16le", gap=(1, 1))
    read = whole(open_media(path))
    assert len(read) / 16_000 == pytest.approx(3, abs=1e-3)
    quiet = np.abs(read) < 0.01
    assert quiet[int(1.05 * 16_000) : int(1.95 * 16_000)].all()
    after = np.flatnonzero(~quiet[int(1.5 * 16_000) :])[0] / 16_000 + 1.5
    assert after == pytest.approx(2, abs=0.025)
    assert not quiet[int(0.1 * 16_000) : int(0.9 * 16_000)].all()


def test_jitter_of_timestamps_is_ignored(tmp_path):
    """Matroska's clock of 1 ms never fits 1024 samples at 44.1 kHz: the waveform must."""
    wave = tone(2, 44_100)
    path = encode(tmp_path / "j.mkv", audios=[wave], audio="pcm_s16le", rate=44_100)
    read = whole(open_media(path), 44_100)
    assert len(read) == wave.shape[1]
    np.testing.assert_allclose(read, wave[0], atol=1e-4)


def test_negative_start_is_time_zero(tmp_path):
    pictures = levels(20)
    path = encode(
        tmp_path / "n.mkv",
        pictures=pictures,
        times=[2 + k / 10 for k in range(20)],
        audios=[beep(2, 1, 0.3)],
        audio_start=2,
        audio="flac",
    )
    clip = open_media(path)
    loud = np.flatnonzero(np.abs(whole(clip)) > 0.25) / 16_000
    assert loud[0] == pytest.approx(1, abs=2e-3)
    assert next(clip.frames(10)).time_s == pytest.approx(0, abs=2e-3)
    assert clip.zero == 2


@pytest.mark.parametrize("name", ["r.mkv", "r.mp4"])
def test_frames_that_follow_each_other_are_one_run(tmp_path, name):
    """Also where ticks of 1 ms do not fit 1024 samples, but not across a gap."""
    path = encode(tmp_path / name, audios=[tone(3, 44_100)], rate=44_100, gap=(1, 1))
    with av.open(str(path)) as file:
        frames = list(file.decode(audio=0))
    runs = list(audio._runs(frames))
    assert [frame for run in runs for frame in run] == frames
    assert len(runs) <= 5 < 80 < len(frames)
    for one, other in pairwise(runs):
        end = one[-1].time + one[-1].samples / 44_100
        gap = other[0].time - end
        assert abs(gap) < 2e-3 or gap == pytest.approx(1, abs=0.05)
        assert sum(frame.samples for frame in one) < 44_100 + 2048
