"""Of several tracks, that which a player chooses."""

import numpy as np

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
