"""Parts of a file: frames and audio cut on one clock."""

import numpy as np
import pytest
from media_clips import beep, encode, index_of, levels
from PIL import Image

from avtca.errors import MediaError
from avtca.media import container, hold_frames, open_media

RATE = 48_000


def wave(clip, rate=RATE):
    blocks = list(clip.audio(rate))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def shown(clip, rate=10):
    """Step and picture of each frame as a player shows it."""
    return [(frame.step, index_of(frame.rgb)) for frame in hold_frames(clip.frames(rate), rate)]


@pytest.fixture(scope="module", params=["mp4", "mkv", "avi", "ts"])
def clip(request, tmp_path_factory):
    """8 s at 5 frames a second, with a beep from 6.1 to 6.3 s."""
    path = tmp_path_factory.mktemp("parts") / f"clip.{request.param}"
    codecs = {"video": "mpeg4", "audio": "pcm_s16le"} if request.param == "avi" else {}
    encode(path, pictures=levels(40), fps=5, audios=[beep(8, 6.1, 0.2)], **codecs)
    return path


def test_frames_and_audio_start_and_end_with_the_part(clip):
    part = open_media(clip).part(5.0, 7.2)
    frames = list(part.frames(5))
    assert [(frame.step, index_of(frame.rgb)) for frame in frames] == [
        (step, 25 + step) for step in range(11)
    ]
    assert [frame.time_s for frame in frames] == pytest.approx([k / 5 for k in range(11)], abs=0.05)
    heard = wave(part)
    assert len(heard) == pytest.approx(2.2 * RATE, abs=1)
    loud = np.flatnonzero(np.abs(heard) > 0.1) / RATE
    assert loud[0] == pytest.approx(1.1, abs=0.03) and loud[-1] == pytest.approx(1.3, abs=0.03)
    assert part.duration_s == pytest.approx(2.2) and part.decoded_share() == 1
    assert part.name == f"{clip}#t=5,7.2"
    assert not part.warnings


def test_a_frame_that_is_shown_at_the_start_and_at_the_end_belongs_to_the_part(clip):
    """Frames last 0.2 s: at 5.1 s the one of 5.0 s is shown, until 5.2 s."""
    assert shown(open_media(clip).part(5.1, 5.5)) == [(0, 25), (1, 26), (2, 26), (3, 27)]
    assert shown(open_media(clip).part(5.05, 5.15)) == [(0, 25)]


def test_a_part_at_the_end_ends_with_the_file(clip):
    for end in (None, 8.0, 8.3):
        part = open_media(clip).part(7.0, end)
        assert [index for _, index in shown(part, 5)] == [35, 36, 37, 38, 39]
        assert len(wave(part)) == pytest.approx(RATE, abs=0.06 * RATE)
        assert part.decoded_share() == 1
        assert not part.warnings


def test_outside_of_the_file(clip):
    """A transport stream has no reliable length: it is known once the part was read."""
    for start, end in ((9.0, None), (9.0, 10.0), (5.0, 9.0)):
        with pytest.raises(MediaError, match=r"#t=.*: the file ends (after|before).*; correct"):
            part = open_media(clip).part(start, end)
            list(part.frames(5)), wave(part)


def test_the_last_frame_is_shown_for_its_own_length(tmp_path):
    """Of a file without audio: three frames of 4 s each."""
    path = tmp_path / "slow.gif"
    Image.fromarray(levels(3)[0]).save(
        path,
        save_all=True,
        append_images=[Image.fromarray(image) for image in levels(3)[1:]],
        duration=4000,
    )
    assert shown(open_media(path).part(11.2), 5) == [(step, 2) for step in range(4)]
    assert shown(open_media(path).part(11.2, 11.6), 5) == [(0, 2), (1, 2)]
    assert shown(open_media(path).part(7.8, 8.2), 5) == [(0, 1), (1, 2)]
    with pytest.raises(MediaError, match="the file ends before"):
        list(open_media(path).part(12.5).frames(5))


def test_wrong_numbers(clip):
    whole = open_media(clip)
    with pytest.raises(MediaError, match=r"the start, 5 s, is not before the end, 4.5 s"):
        whole.part(5, 4.5)
    with pytest.raises(MediaError, match="not before the end"):
        whole.part(5, 5)
    for start in (-1, float("nan")):
        with pytest.raises(MediaError, match="the start is"):
            whole.part(start)


def test_an_image_has_no_parts(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    with pytest.raises(MediaError, match="an image has no parts"):
        open_media(tmp_path / "a.png").part(0, 1)


def test_a_pause_of_the_video_and_late_audio_keep_their_place(tmp_path):
    """Frames at 0, 1, 4 and 5 s; the audio starts at 2 s with its beep at 3 s."""
    path = encode(
        tmp_path / "slow.mkv",
        pictures=levels(4),
        times=[0, 1, 4, 5],
        audios=[beep(3, 1, 0.2)],
        audio="pcm_s16le",
        audio_start=2,
    )
    assert shown(open_media(path).part(2, 3.5), 2) == [(0, 1), (1, 1), (2, 1)]
    part = open_media(path).part(1.5, 3.5)
    loud = np.flatnonzero(np.abs(wave(part)) > 0.1) / RATE
    assert loud[0] == pytest.approx(1.5, abs=0.002)
    assert len(wave(open_media(path).part(0.5, 1.5))) == RATE


REAL = ["01-01-01-01-01-01-01.mp4", "no_face.mp4", "noface_face.mov", "obama_speech.mp4"]
REAL += ["short_hamilton_clip.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_a_part_that_was_sought_equals_one_that_was_decoded_from_the_start(
    name, sample_clips, monkeypatch
):
    length = open_media(sample_clips / name).duration_s
    for start, end in ((0.7, 1.4), (length / 2, length / 2 + 1.03), (length - 1, None)):
        sought = open_media(sample_clips / name).part(start, end)
        frames, heard = list(sought.frames(10)), wave(sought, 16_000)
        with monkeypatch.context() as patch:
            patch.setattr(container, "SEEKABLE", ())
            part = open_media(sample_clips / name).part(start, end)
            wanted, wanted_wave = list(part.frames(10)), wave(part, 16_000)
        assert [frame.step for frame in frames] == [frame.step for frame in wanted]
        assert [frame.time_s for frame in frames] == [frame.time_s for frame in wanted]
        for frame, other in zip(frames, wanted, strict=True):
            assert np.array_equal(frame.rgb, other.rgb)
        assert len(heard) == len(wanted_wave)
        assert np.abs(heard - wanted_wave).max(initial=0) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_a_part_on_the_clock_of_the_whole_is_the_same(name, sample_clips):
    """From 1 to 2 s, at 10 steps a second: frames 10 to 19 of the whole, and its audio."""
    whole, part = open_media(sample_clips / name), open_media(sample_clips / name).part(1, 2)
    frames = {frame.step: frame for frame in hold_frames(whole.frames(10), 10)}
    found = list(hold_frames(part.frames(10), 10))
    assert [frame.step for frame in found] == list(range(10))
    same = [np.array_equal(frame.rgb, frames[frame.step + 10].rgb) for frame in found]
    assert sum(same) >= 9  # one at the edge may be that which is shown there
    rate = whole.sample_rate
    a, b = wave(part, rate), wave(whole, rate)[rate : 2 * rate]
    assert len(a) == rate and np.abs(a - b).max() < 1e-4
