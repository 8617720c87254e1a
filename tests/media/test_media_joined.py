"""Joined recordings, whose timestamps go back, are one clip on a clock that grows."""

import numpy as np
import pytest
from media_clips import beep, encode, index_of, levels

from avtca.media import media_file, open_media
from avtca.media.clock import StreamClock
from avtca.media.media_file import JOINED


def joined(tmp_path, name, n, **kwargs):
    """``n`` copies of one recording, joined byte by byte."""
    path = encode(tmp_path / name, **kwargs)
    path.write_bytes(path.read_bytes() * n)
    return open_media(path)


@pytest.mark.parametrize(("name", "n"), [("a.ts", 3), ("a.mkv", 2)])
def test_joined_videos_are_decoded_to_the_end(tmp_path, name, n):
    clip = joined(tmp_path, name, n, pictures=levels(20), audios=[beep(2, 1.0, 0.3)])
    frames = list(clip.frames(10))
    wave = np.concatenate(list(clip.audio(16_000)))
    assert len(frames) == pytest.approx(20 * n, abs=n - 1)
    assert index_of(frames[-1].rgb) == 19
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(2 * n - 0.1, abs=0.1)
    loud = np.flatnonzero(np.abs(wave) > 0.25) / 16_000
    onsets = loud[np.flatnonzero(np.diff(loud, prepend=-1) > 0.2)]
    flashes = [frame.time_s for frame in frames if index_of(frame.rgb) == 10]
    assert len(onsets) == n
    assert onsets == pytest.approx(flashes, abs=0.06)  # the beep of each part is at its frame
    assert clip.warnings == [JOINED]
    assert clip.decoded_share() == 1.0


def test_chained_ogg(tmp_path):
    clip = joined(tmp_path, "a.opus", 3, audios=[beep(2, 1.0, 0.3)], audio="libopus")
    wave = np.concatenate(list(clip.audio(16_000)))
    assert len(wave) / 16_000 == pytest.approx(6, abs=0.15)
    loud = np.flatnonzero(np.abs(wave) > 0.25) / 16_000
    onsets = loud[np.flatnonzero(np.diff(loud, prepend=-1) > 0.2)]
    assert onsets == pytest.approx([1, 3, 5], abs=0.1)
    assert clip.warnings == [JOINED]


def test_one_damaged_timestamp_moves_nothing_else():
    joins, warnings = [], []
    clock = StreamClock(joins, lambda gap, to: gap > 60, lambda: warnings.append(1))
    stamps = [0, 1, 2, 3, 0, 5, 6, 900, 8, 9]
    length = 1.0
    placed = [clock.place(stamp, length) for stamp in stamps]
    assert placed == [float(k) for k in range(10)]


def test_streams_of_a_joined_file_stay_in_step():
    joins = []
    video = StreamClock(joins, lambda gap, to: False, lambda: None)
    audio = StreamClock(joins, lambda gap, to: False, lambda: None)
    length = 1.0
    times = [video.place(stamp, length) for stamp in (0, 1, 0, 1)]
    late = 0.25  # the audio of the first part is longer
    heard = [audio.place(k, length + late * (k == 1)) for k in (0, 1, 0, 1)]
    assert times == heard == [0, 1, 2, 3]


def test_filled_silence_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(media_file, "MAX_SILENCE_ALONE_S", 5)
    path = encode(tmp_path / "g.mkv", audios=[beep(12, 11, 0.5)], audio="pcm_s16le", gap=(1, 9))
    clip = open_media(path)
    wave = np.concatenate(list(clip.audio(16_000)))
    assert len(wave) / 16_000 == pytest.approx(3, abs=0.1)
    assert np.flatnonzero(np.abs(wave) > 0.25)[0] / 16_000 == pytest.approx(2, abs=0.1)
    assert "too long gaps in the audio: not all were filled with silence" in clip.warnings
    assert clip.decoded_share() < 0.3
