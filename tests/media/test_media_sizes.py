"""Frames whose size changes in mid-stream."""

import numpy as np
from media_clips import encode, flat
from recording_backend import RecordingBackend
from small_spec import RECOGNIZER_SPEC

from avtca.faces import best_detector
from avtca.media import open_media
from avtca.media.video import fit
from avtca.recognize import Recognizer


def test_all_frames_have_the_size_of_the_first(tmp_path):
    first = encode(tmp_path / "a.ts", pictures=[flat(200, 64, 48)] * 10)
    upright = encode(tmp_path / "b.ts", pictures=[flat(120, 72, 96)] * 10)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + upright.read_bytes())
    clip = open_media(joined)
    frames = list(clip.frames(10))
    assert {frame.rgb.shape for frame in frames} == {(48, 64, 3)}
    assert "frames of several sizes: all were fitted into 64x48" in clip.warnings
    last = frames[-1].rgb.mean(axis=2)
    assert abs(last[:, 14:50].mean() - 120) < 4 and last[:, :13].max() < 4  # 36 of 64 columns


def test_fitting_keeps_the_shape_of_things():
    rgb = np.zeros((100, 100, 3), np.uint8)
    rgb[20:80, 20:80] = 255
    small = fit(rgb, (90, 40))
    bright = small.mean(axis=2) > 127
    assert bright.sum(axis=0).max() == bright.sum(axis=1).max() == 24
    assert np.flatnonzero(bright.any(axis=0)).mean() == 44.5


def test_a_person_keeps_the_number(shared):
    recognizer = Recognizer(RecordingBackend(RECOGNIZER_SPEC), best_detector())
    report = recognizer.predict(shared / "faults" / "reschange.ts", person="all")
    assert report.coverage.face > 0.9
    assert {row.person for row in report.timeline} == {0}
    assert "frames of several sizes: all were fitted into 480x360" in report.warnings
