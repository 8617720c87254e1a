"""Of several tracks, that which a player chooses."""

from fractions import Fraction

import av
import numpy as np
import pytest
from media_clips import encode, levels, tone

from avtca.media import open_media


def test_the_default_audio_track(shared):
    clip = open_media(shared / "faults" / "obs.mkv")
    wave = np.concatenate(list(clip.audio(16_000)))
    assert np.abs(wave).max() > 0.02  # the first track is silent
    assert clip.warnings == ["2 audio tracks: track 2 is used"]


def test_the_default_video_track(shared):
    clip = open_media(shared / "faults" / "twovid.mp4")
    assert clip.info.width == 480  # the first track is 64 x 48
    assert {frame.rgb.shape[1] for frame in clip.frames(10)} == {480}
    assert clip.warnings == ["2 video tracks: track 2 is used"]


def test_subtitles_that_go_on_after_the_end(tmp_path):
    path = encode(tmp_path / "a.mkv", pictures=levels(20), audios=[tone(2)])
    subtitled = tmp_path / "b.mkv"
    with av.open(path) as clip, av.open(subtitled, "w") as out:
        copies = [out.add_stream_from_template(stream) for stream in clip.streams]
        titles = out.add_mux_stream("subrip")
        titles.time_base = Fraction(1, 1000)
        for packet in clip.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
        for k in range(5):
            title = av.Packet(b"Hello")
            title.stream, title.time_base = titles, Fraction(1, 1000)
            title.pts = title.dts = 60_000 * k
            title.duration = 1000
            out.mux(title)
    with av.open(subtitled) as clip:
        assert clip.duration > 200e6
    clip = open_media(subtitled)
    list(clip.frames(10)), list(clip.audio(16_000))
    assert clip.duration_s == pytest.approx(2, abs=0.1)
    assert clip.warnings == [] and clip.decoded_share() == 1
