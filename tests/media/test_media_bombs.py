"""Small files made to fill the memory or to take hours are refused at once."""

import struct
import wave
import zlib

import pytest
from limited import recognise
from media_clips import encode, flat, index_of, levels, tone
from PIL import Image

from avtca.errors import MediaError
from avtca.media import container, open_media, video

REFUSED = (
    "nothing can be decoded (the video frames are too large (8000 x 8000)); "
    "export it with smaller frames"
)


def gif(path, size, n):
    """``n`` frames of one pixel each on a canvas of ``size`` x ``size``."""
    frame = b"\x21\xf9\x04\x04\x0a\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    head = b"GIF89a" + struct.pack("<HHBBB", size, size, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    path.write_bytes(head + (frame + b"\x02\x02\x44\x01\0") * n + b";")
    return path


def png(path, kind, unpacked):
    """An image with a chunk of metadata that has ``unpacked`` bytes."""
    Image.fromarray(flat(90)).save(path)
    data, packed = path.read_bytes(), b"name\0\0" + zlib.compress(bytes(unpacked))
    chunk = struct.pack(">I", len(packed)) + kind + packed
    chunk += struct.pack(">I", zlib.crc32(kind + packed))
    path.write_bytes(data[:33] + chunk + data[33:])
    return path


def test_large_frames_take_neither_time_nor_memory(tmp_path):
    (outcome,) = recognise([gif(tmp_path / "a.gif", 8000, 100)], max_s=60)
    assert outcome.kind == "clean error" and REFUSED in outcome.text
    assert outcome.peak_mb < 300 and outcome.seconds < 20


def test_frames_of_8k_are_read_at_half_their_size(tmp_path, monkeypatch):
    for module in (container, video):
        monkeypatch.setattr(module, "LARGE_PIXELS", 64 * 48 - 1)
    path = encode(tmp_path / "a.mp4", pictures=levels(5))
    clip = open_media(path)
    frames = list(clip.frames(10))
    assert {frame.rgb.shape for frame in frames} == {(24, 32, 3)}
    assert [index_of(frame.rgb) for frame in frames] == [0, 1, 2, 3, 4]
    assert (clip.info.width, clip.info.height) == (32, 24)
    Image.fromarray(flat(90)).save(tmp_path / "a.png")
    (frame,) = open_media(tmp_path / "a.png").frames(10)
    assert frame.rgb.shape == (48, 64, 3), "images keep their size"


def test_pixels_are_limited_by_the_size_of_the_file(tmp_path, monkeypatch):
    path = gif(tmp_path / "a.gif", 100, 50)
    assert len(list(open_media(path).frames(10))) == 50
    monkeypatch.setattr(video, "MIN_PIXELS", 100 * 100 * 20)
    monkeypatch.setattr(video, "PIXELS_PER_BYTE", 1)
    frames = open_media(path).frames(10)
    for _ in range(19):
        next(frames)
    with pytest.raises(MediaError, match="its frames have over 1 pixels for each byte"):
        list(frames)


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt"])
def test_metadata_of_images(tmp_path, kind):
    with pytest.raises(MediaError, match="its metadata unpack to more than 16 MB"):
        open_media(png(tmp_path / "a.png", kind, 2**24 + 1))
    (frame,) = open_media(png(tmp_path / "b.png", b"zTXt", 2**16)).frames(10)
    assert frame.rgb.shape == (48, 64, 3)


def test_audio_of_a_few_samples_a_second(tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 7, 0, "NONE", ""))
        out.writeframes(bytes(100_000))
    with pytest.raises(MediaError, match="the audio has 7 Hz, too few for a voice"):
        open_media(path)
    assert open_media(
        encode(tmp_path / "b.wav", audios=[tone(1, 8000)], audio="pcm_s16le", rate=8000)
    ).has_audio
