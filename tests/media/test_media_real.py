"""The real clips: plausible counts, times and lengths."""

import numpy as np
import pytest

from avtca.media import open_media


def read(path, rate=10):
    clip = open_media(path)
    frames = list(clip.frames(rate))
    wave = np.concatenate(list(clip.audio(16_000)) or [np.zeros(0, np.float32)])
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)
    for frame in frames:
        assert frame.step / rate - 1e-3 <= frame.time_s < (frame.step + 1) / rate
    return clip, frames, wave


@pytest.mark.parametrize(
    ("name", "seconds", "size", "n_frames"),
    [
        ("01-01-01-01-01-01-01.mp4", 3.30, (1280, 720), 33),
        ("no_face.mp4", 3.95, (960, 540), 40),
        ("obama_speech.mp4", 8.71, (320, 240), 87),
        ("park.mp4", 0.55, (640, 480), 6),
        ("short_hamilton_clip.mp4", 10.01, (640, 360), 92),
        ("noface_face.mov", 6.38, (960, 540), 64),
    ],
)
def test_samples(sample_clips, name, seconds, size, n_frames):
    clip, frames, wave = read(sample_clips / name)
    assert clip.duration_s == pytest.approx(seconds, abs=0.02)
    assert clip.decoded_seconds == pytest.approx(seconds, abs=0.1)
    assert (clip.info.width, clip.info.height) == size
    assert frames[0].rgb.shape == (size[1], size[0], 3)
    assert len(frames) == n_frames
    assert clip.warnings == []
    assert 0.01 < np.abs(wave).max() <= 1.2


def test_timestamps_win_over_the_frame_rate_of_the_header(sample_clips):
    clip = open_media(sample_clips / "obama_speech.mp4")
    assert clip.info.frame_rate == pytest.approx(11.936, abs=1e-3)
    times = [frame.time_s for frame in clip.frames(600)]
    assert times == pytest.approx([k / 12 for k in range(105)], abs=1e-6)


def test_hevc(sample_clips):
    clip = open_media(sample_clips / "noface_face.mov")
    assert clip.info.video_codec == "hevc"
    times = [frame.time_s for frame in clip.frames(1000)]
    steps = np.diff(times)
    assert len(times) == 169 and steps.max() > 2 * steps.min(), "a variable frame rate"


def test_video_that_starts_late(sample_clips):
    _, frames, wave = read(sample_clips / "short_hamilton_clip.mp4")
    assert frames[0].time_s == pytest.approx(0.844, abs=1e-3) and frames[0].step == 8
    assert len(wave) / 16_000 == pytest.approx(10.01, abs=0.01)


def test_cremad_flv(corpora):
    paths = sorted((corpora / "cremad").glob("*.flv"))
    assert len(paths) == 6
    for path in paths:
        clip, frames, wave = read(path, rate=15 / 3.6)
        assert clip.info.video_codec == "vp6f" and clip.info.audio_codec.startswith("mp3")
        assert 1.8 < clip.duration_s < 2.4
        assert clip.decoded_seconds == pytest.approx(len(wave) / 16_000, abs=1e-3)
        assert [frame.step for frame in frames] == list(range(len(frames)))
        assert len(frames) == pytest.approx(clip.decoded_seconds * 15 / 3.6, abs=1)
        true_rate = [frame.time_s for frame in clip.frames(1000)]
        assert np.median(np.diff(true_rate)) == pytest.approx(1 / 30, abs=1e-3)
        assert clip.warnings == []


def test_audio_files_of_the_corpora(corpora):
    flac = open_media(corpora / "ravdess/audio/03-01-01-01-01-01-01.flac")
    opus = open_media(next(iter(sorted((corpora / "nemo").glob("*.opus")))))
    for clip in (flac, opus):
        assert clip.has_audio and not clip.has_video
        n = sum(len(block) for block in clip.audio(16_000))
        assert n / 16_000 == pytest.approx(clip.duration_s, abs=0.02)
    import soxr  # the flac is 16 kHz: exactly its samples come out

    wave = np.concatenate(list(flac.audio(16_000)))
    assert len(wave) == 52_853
    half = soxr.resample(wave, 16_000, 8_000)
    np.testing.assert_allclose(np.concatenate(list(flac.audio(8_000))), half, atol=1e-6)
