"""WAV files whose size fields are wrong, and zeros behind the samples."""

import time

import numpy as np
import pytest
from media_clips import beep, encode

from avtca.media import container, open_media
from avtca.media.container import MediaError

WARNING = "the size in the header is too small: all of the audio is read"


@pytest.fixture
def wav(tmp_path):
    wave = beep(3, 2.0, 0.5, 16_000)
    path = encode(tmp_path / "a.wav", audios=[wave], audio="pcm_s16le", rate=16_000)
    whole = np.concatenate(list(open_media(path).audio(16_000)))
    assert len(whole) == 48_000
    return path, whole


def with_size(data, size):
    at = data.index(b"data") + 4
    return data[:at] + size.to_bytes(4, "little") + data[at + 4 :]


@pytest.mark.parametrize("size", [32_000, 31_999, 2])
def test_a_size_that_is_too_small(wav, size):
    path, whole = wav
    path.write_bytes(with_size(path.read_bytes(), size))
    clip = open_media(path)
    np.testing.assert_array_equal(np.concatenate(list(clip.audio(16_000))), whole)
    assert clip.duration_s == pytest.approx(3, abs=0.01)
    assert clip.warnings == [WARNING]
    assert clip.decoded_share() == 1.0


@pytest.mark.parametrize("padding", [100, 30_000_000])
def test_zeros_behind_the_samples_are_not_audio(wav, padding):
    path, whole = wav
    path.write_bytes(path.read_bytes() + bytes(padding))
    started = time.monotonic()
    clip = open_media(path)
    np.testing.assert_array_equal(np.concatenate(list(clip.audio(16_000))), whole)
    assert time.monotonic() - started < 5
    assert clip.duration_s == 3 and clip.warnings == []


def test_chunks_behind_the_samples_are_not_audio(wav):
    path, whole = wav
    path.write_bytes(path.read_bytes() + b"note\x08\0\0\0" + bytes(range(8)))
    clip = open_media(path)
    np.testing.assert_array_equal(np.concatenate(list(clip.audio(16_000))), whole)
    assert clip.warnings == []


def test_opening_has_a_time_limit(wav, monkeypatch):
    monkeypatch.setattr(container, "TIMEOUT_S", 1e-9)
    with pytest.raises(MediaError, match="took longer than"):
        open_media(wav[0])
