"""Every container and codec that the wheel can write is read back, in step."""

import os

import av
import numpy as np
import pytest
from media_clips import beep, encode, flat, index_of, levels

from avtca.media import open_media

CASES = [
    ("a.mp4", "libx264", "aac", 48_000, "mov", "h264"),
    ("b.mov", "libx265", "aac", 44_100, "mov", "hevc"),
    ("c.mp4", "mpeg4", "libmp3lame", 44_100, "mov", "mpeg4"),
    ("d.mkv", "libx264", "flac", 48_000, "matroska", "h264"),
    ("e.mkv", "mjpeg", "aac", 16_000, "matroska", "mjpeg"),
    ("f.webm", "libvpx", "libopus", 48_000, "matroska", "vp8"),
    ("g.webm", "libvpx-vp9", "libopus", 48_000, "matroska", "vp9"),
    ("h.avi", "mpeg4", "pcm_s16le", 22_050, "avi", "mpeg4"),
    ("i.flv", "flv1", "libmp3lame", 44_100, "flv", "flv"),
    ("j.flv", "libx264", "aac", 44_100, "flv", "h264"),
    ("k.ts", "libx264", "aac", 48_000, "mpegts", "h264"),
    ("l.mpg", "mpeg2video", "mp2", 48_000, "mpeg", "mpeg2video"),
]


@pytest.mark.parametrize(("name", "video", "audio", "rate", "container", "codec"), CASES)
def test_flash_and_beep_meet(tmp_path, name, video, audio, rate, container, codec):
    pictures = [flat(200 if 10 <= k < 13 else 30) for k in range(20)]
    path = encode(
        tmp_path / name,
        pictures=pictures,
        video=video,
        audios=[beep(2, 1.0, 0.3, rate)],
        audio=audio,
        rate=rate,
    )
    clip = open_media(path)
    assert (clip.info.container, clip.info.video_codec) == (container, codec)
    assert (clip.info.width, clip.info.height) == (64, 48)
    assert (clip.info.sample_rate, clip.info.channels) == (rate, 1)
    assert clip.has_video and clip.has_audio and not clip.is_image
    assert clip.duration_s == pytest.approx(2, abs=0.07)

    frames = list(clip.frames(10))
    wave = np.concatenate(list(clip.audio(16_000)))
    assert [frame.step for frame in frames] == list(range(20))
    flash = [frame.time_s for frame in frames if frame.rgb.mean() > 115]
    loud = np.flatnonzero(np.abs(wave) > 0.25) / 16_000
    assert len(flash) == 3
    assert loud[0] == pytest.approx(flash[0], abs=0.004)
    assert loud[-1] == pytest.approx(flash[-1] + 0.1, abs=0.004)
    assert np.abs(wave).max() == pytest.approx(0.5, abs=0.03)
    assert clip.decoded_seconds == pytest.approx(2, abs=0.06)
    assert clip.warnings == []


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("b.avi", "mpeg4")])
def test_every_frame_in_order(tmp_path, name, codec):
    clip = open_media(encode(tmp_path / name, pictures=levels(40), fps=25, video=codec))
    frames = list(clip.frames(25))
    assert [index_of(frame.rgb) for frame in frames] == list(range(40))
    assert [frame.time_s for frame in frames] == pytest.approx([k / 25 for k in range(40)])
    assert not clip.has_audio and list(clip.audio(16_000)) == []


def test_av1(tmp_path, monkeypatch):
    monkeypatch.setenv("SVT_LOG", "0")
    path = encode(tmp_path / "a.mp4", pictures=levels(5), video="libsvtav1")
    if hasattr(os, "sched_setscheduler"):
        # As root, this encoder gives its caller the highest real-time priority. Processes that
        # later tests start would inherit it, and could starve each other.
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    clip = open_media(path)
    assert [index_of(frame.rgb) for frame in clip.frames(10)] == list(range(5))


@pytest.mark.parametrize("name", ["a.jpg", "b.png", "c.bmp", "d.webp", "100%_*_%03d.jpg"])
def test_still_images(tmp_path, name):
    from PIL import Image

    rgb = np.zeros((30, 41, 3), np.uint8)
    rgb[:, :20] = 220, 40, 10
    Image.fromarray(rgb).save(tmp_path / name, quality=95)
    clip = open_media(tmp_path / name)
    assert clip.is_image and clip.has_video and not clip.has_audio
    assert clip.duration_s == 0
    (frame,) = clip.frames(10)
    assert (frame.step, frame.time_s, frame.rgb.shape) == (0, 0.0, (30, 41, 3))
    assert np.abs(frame.rgb[10, 5].astype(int) - (220, 40, 10)).max() < 12
    assert clip.warnings == []


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 22_050),
        ("b.wav", "pcm_u8", 16_000),
        ("c.wav", "pcm_s24le", 48_000),
        ("d.wav", "pcm_f32le", 44_100),
        ("e.wav", "pcm_f64le", 8_000),
        ("f.flac", "flac", 44_100),
        ("g.opus", "libopus", 48_000),
        ("h.mp3", "libmp3lame", 44_100),
        ("i.m4a", "aac", 44_100),
    ],
)
def test_audio_files(tmp_path, name, codec, rate):
    path = encode(tmp_path / name, audios=[beep(1.5, 0.5, 0.5, rate)], audio=codec, rate=rate)
    clip = open_media(path)
    assert clip.has_audio and not clip.has_video and not clip.is_image
    assert clip.info.sample_rate == rate and clip.info.video_codec is None
    assert list(clip.frames(10)) == []
    wave = np.concatenate(list(clip.audio(16_000)))
    assert len(wave) / 16_000 == pytest.approx(1.5, abs=0.06)
    loud = np.flatnonzero(np.abs(wave) > 0.25) / 16_000
    assert loud[0] == pytest.approx(0.5, abs=0.004)
    assert loud[-1] == pytest.approx(1.0, abs=0.004)
    assert np.abs(wave).max() == pytest.approx(0.5, abs=0.03)
    assert clip.warnings == []


def test_cover_art_is_not_video(tmp_path):
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as out:
        audio = out.add_stream("libmp3lame", rate=44_100, layout="mono")
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(flat(90), format="rgb24").reformat(format="yuvj420p")
        out.mux(cover.encode(frame) + cover.encode(None))
        wave = av.AudioFrame.from_ndarray(beep(1, 0, 1, 44_100), format="fltp", layout="mono")
        wave.sample_rate, wave.pts = 44_100, 0
        out.mux(audio.encode(wave) + audio.encode(None))
    with av.open(str(path)) as check:
        assert len(check.streams.video) == 1, "the test's own file has a cover"
    clip = open_media(path)
    assert clip.has_audio and not clip.has_video and not clip.is_image
    assert list(clip.frames(10)) == []


def test_length_of_a_recording_without_a_length(tmp_path):
    """As browsers write it: no duration in the header, so the packets are counted."""
    path = encode(
        tmp_path / "live.webm",
        pictures=levels(30),
        video="libvpx",
        audios=[beep(3, 0, 1)],
        audio="libopus",
        options={"live": "1"},
    )
    with av.open(str(path)) as check:
        assert check.duration is None, "the test's own file gives no length"
    clip = open_media(path)
    assert clip.duration_s == pytest.approx(3, abs=0.1)
    assert len(list(clip.frames(10))) == 30
