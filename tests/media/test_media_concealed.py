"""Damage that the decoder conceals is reported, and lowers what counts as decoded."""

import io

import numpy as np
import pytest
from media_clips import encode, flat, tone
from PIL import Image

from avtca.media import open_media
from avtca.recognize.prediction import MIN_DECODED

CUT = "cut short: the end of the file is missing"


def picture(kind):
    rgb = np.random.default_rng(3).integers(0, 255, (96, 128, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["jpeg", "gif", "ogg"])
def test_the_end_is_missing(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "ogg":
        encode(path, audios=[tone(2)], audio="libopus")
    else:
        path.write_bytes(picture(kind))
    data = path.read_bytes()
    whole = open_media(path)
    list(whole.frames(10)), list(whole.audio(16_000))
    assert whole.warnings == [] and whole.decoded_share() == 1.0
    path.write_bytes(data[: len(data) * 6 // 10])
    clip = open_media(path)
    list(clip.frames(10)), list(clip.audio(16_000))
    assert CUT in clip.warnings
    assert clip.decoded_share() < MIN_DECODED


def test_concealed_frames_are_counted(shared):
    clip = open_media(shared / "faults" / "w-zeros.wmv")
    list(clip.frames(10)), list(clip.audio(16_000))
    text = "1 frame(s) of the video are damaged, which the decoder concealed"
    assert clip.warnings == [text]
    assert clip.decoded_share() < MIN_DECODED


def test_the_end_of_an_asf_file_is_missing(tmp_path):
    path = tmp_path / "a.wmv"
    encode(path, pictures=[flat(90)] * 20, video="wmv2", audios=[tone(2)], audio="libmp3lame")
    data = path.read_bytes()
    assert open_media(path).warnings == []
    path.write_bytes(data[: len(data) * 7 // 10])
    clip = open_media(path)
    list(clip.frames(10)), list(clip.audio(16_000))
    assert CUT in clip.warnings
    assert clip.decoded_share() < MIN_DECODED


def test_a_fifth_of_a_short_clip_is_missing(tmp_path):
    path = encode(tmp_path / "a.wav", audios=[tone(1)], audio="pcm_s16le")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 8 // 10])
    clip = open_media(path)
    list(clip.audio(16_000))
    assert clip.warnings == ["cut short: 1.0 s by the header, the file ends after 0.8 s"]
    assert clip.decoded_share() == pytest.approx(0.8, abs=0.001)
