"""What cannot be read says so in one line; what can be read in part is."""

import os
import shutil

import av
import numpy as np
import pytest
from media_clips import encode, index_of, levels, tone

from avtca.errors import MediaError
from avtca.media import open_media


def failure(path) -> MediaError:
    with pytest.raises(MediaError) as caught:
        open_media(path)
    error = caught.value
    assert "\n" not in str(error)
    assert error.action and error.problem and error.fix
    assert str(path) in error.action
    return error


def test_paths_that_are_no_file(tmp_path):
    assert failure(tmp_path / "missing.mp4").problem == "no such file"
    assert failure(tmp_path).problem == "it is a folder"
    (tmp_path / "empty.mp4").touch()
    assert failure(tmp_path / "empty.mp4").problem == "the file is empty"
    failure(tmp_path / ("x" * 5000))


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    assert failure(tmp_path / "pipe.wav").problem == "it is a pipe, socket or device"
    assert failure(tmp_path / "zero.wav").problem == "it is a pipe, socket or device"
    assert failure(tmp_path / "loop.wav").problem == "Too many levels of symbolic links"
    with pytest.raises(MediaError, match="the name has a zero byte"):
        open_media("a\0.wav")


@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.wav", "a.jpg", "a.m3u8", "a"])
def test_text_and_noise_are_not_media(tmp_path, name):
    path = tmp_path / name
    path.write_text("The quick brown fox jumps over the lazy dog.\n" * 200)
    failure(path)
    path.write_bytes(np.random.default_rng(5).bytes(20_000))
    failure(path)


def test_a_playlist_opens_nothing_else(tmp_path):
    real = encode(tmp_path / "a.ts", pictures=levels(10))
    (tmp_path / "p.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{real.name}\n#EXT-X-ENDLIST\n"
    )
    (tmp_path / "p.ffconcat").write_text(f"ffconcat version 1.0\nfile {real.name}\n")
    failure(tmp_path / "p.m3u8")
    failure(tmp_path / "p.ffconcat")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures=levels(3))
    path.chmod(0)
    assert failure(path).problem == "no permission"


def test_a_container_without_video_or_audio(tmp_path):
    path = tmp_path / "s.mkv"
    with av.open(str(path), "w") as out:
        out.add_attachment("note.txt", "text/plain", b"nothing to see")
        out.start_encoding()
    failure(path)


def test_header_without_frames(tmp_path):
    path = encode(tmp_path / "h.mkv", pictures=levels(20), audios=[tone(2)], audio="flac")
    data = path.read_bytes()
    cluster = data.index(b"\x1f\x43\xb6\x75")
    path.write_bytes(data[: cluster + 20])
    assert "nothing can be decoded" in failure(path).problem


@pytest.mark.parametrize("name", ["t.mkv", "t.avi", "t.flv", "t.mp4"])
def test_a_truncated_file_is_read_up_to_there(tmp_path, name):
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(40)]
    codec = {"t.avi": "mpeg4"}.get(name, "libx264")
    audio = {"t.avi": "pcm_s16le", "t.flv": "aac", "t.mp4": "aac"}.get(name, "flac")
    path = encode(
        tmp_path / name,
        pictures=pictures,
        video=codec,
        audios=[tone(4, 44_100)],
        audio=audio,
        rate=44_100,
        options={"movflags": "faststart"} if name.endswith("mp4") else None,
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    clip = open_media(path)
    frames = list(clip.frames(10))
    wave = np.concatenate(list(clip.audio(16_000)))
    assert 15 <= len(frames) <= 32
    assert 1.2 < len(wave) / 16_000 < 3.6
    assert any("cut short" in line or "damaged" in line for line in clip.warnings), clip.warnings
    assert clip.decoded_seconds < 3.6


def test_half_a_wav_is_cut_short(tmp_path):
    path = encode(tmp_path / "t.wav", audios=[tone(4, 16_000)], audio="pcm_s16le", rate=16_000)
    data = path.read_bytes()
    assert open_media(path).duration_s == 4 and not open_media(path).warnings
    path.write_bytes(data[: len(data) // 2])
    clip = open_media(path)
    assert sum(len(block) for block in clip.audio(16_000)) == pytest.approx(32_000, abs=100)
    assert clip.duration_s == 4
    assert clip.warnings == ["cut short: 4.0 s by the header, the file ends after 2.0 s"]
    size = data.index(b"data") + 4
    for endless in (b"\0" * 4, b"\xff" * 4):  # a recorder that did not know the end yet
        path.write_bytes(data[:size] + endless + data[size + 4 :])
        clip = open_media(path)
        assert sum(len(block) for block in clip.audio(16_000)) == pytest.approx(64_000, abs=100)
        assert not clip.warnings


def test_an_mp4_that_lost_its_index(tmp_path):
    path = encode(tmp_path / "i.mp4", pictures=levels(20))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 8])
    assert "damaged" in failure(path).problem


def test_a_whole_file_is_not_called_cut_short(tmp_path):
    path = encode(tmp_path / "w.mp4", pictures=levels(20), audios=[tone(1)])
    clip = open_media(path)
    list(clip.frames(10)), list(clip.audio(16_000))
    assert clip.warnings == []


def test_broken_packets_in_the_middle(tmp_path):
    path = encode(
        tmp_path / "b.mkv", pictures=levels(40), video="mpeg4", audios=[tone(4)], audio="flac"
    )
    data = bytearray(path.read_bytes())
    middle = slice(len(data) * 4 // 10, len(data) * 5 // 10)
    data[middle] = np.random.default_rng(2).bytes(middle.stop - middle.start)
    path.write_bytes(data)
    clip = open_media(path)
    frames = list(clip.frames(10))
    wave = np.concatenate(list(clip.audio(16_000)))
    assert len(frames) >= 10 and len(wave) >= 16_000
    assert all(np.isfinite(wave))


def test_a_timestamp_jump_is_ignored(tmp_path):
    """Hours ahead for three frames: neither hours of silence nor the loss of what follows."""
    times = [k / 10 + (20_000 if 8 <= k < 11 else 0) for k in range(20)]
    path = encode(tmp_path / "l.mkv", pictures=levels(20), times=times, fps=10)
    clip = open_media(path)
    frames = list(clip.frames(10))
    assert [index_of(frame.rgb) for frame in frames if frame.step != 8][:8] == list(range(8))
    assert index_of(frames[-1].rgb) == 19 and len(frames) >= 17
    assert frames[-1].time_s < 3
    assert any("jump" in line for line in clip.warnings)


@pytest.mark.parametrize("name", ["f.mp4", "f.mkv", "f.flv", "f.avi"])
def test_flipped_bytes_never_escape_as_another_error(tmp_path, name):
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    audio = "pcm_s16le" if name.endswith("avi") else "aac"
    whole = encode(
        tmp_path / name, pictures=levels(8), video=codec, audios=[tone(0.8, 44_100)], audio=audio,
        rate=44_100,
    ).read_bytes()  # fmt: skip
    rng = np.random.default_rng(7)
    for trial in range(25):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 1 + trial):
            data[at] = rng.integers(256)
        path = tmp_path / f"{trial}{name}"
        path.write_bytes(data)
        try:
            clip = open_media(path)
            steps = [frame.step for frame in clip.frames(10)]
            n = sum(len(block) for block in clip.audio(8000))
        except MediaError:
            continue
        assert steps == sorted(set(steps)) and n < 8000 * 4000


def test_a_file_that_goes_away(tmp_path):
    path = encode(tmp_path / "g.mp4", pictures=levels(5))
    clip = open_media(path)
    path.unlink()
    with pytest.raises(MediaError):
        list(clip.frames(10))


def test_names_that_look_like_something_else(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures=levels(3))
    for name in ("http:x.mp4", "-i.mp4", "concat:a|b.mp4", "ä %d ü.mp4", "a.mp4?x=1"):
        strange = tmp_path / name
        shutil.copy(path, strange)
        assert len(list(open_media(strange).frames(10))) == 3


@pytest.mark.parametrize("sound", [False, True])
def test_a_video_without_a_decoder(tmp_path, sound):
    path = tmp_path / "a.avi"
    encode(path, pictures=levels(10), video="mpeg4", audios=[tone(1)] * sound, audio="mp3")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"ZZ99"))
    if sound:
        clip = open_media(path)
        assert (clip.has_video, clip.has_audio) == (False, True)
        assert clip.warnings == ["no decoder for the video"]
    else:
        assert "nothing can be decoded (no decoder for the video)" in str(failure(path))
