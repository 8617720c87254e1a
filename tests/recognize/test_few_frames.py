"""Videos of a frame a second or fewer, as a player shows them."""

import numpy as np
import pytest
from media_clips import tone
from recording_backend import RecordingBackend
from small_spec import SPEC

from avtca.faces import best_detector
from avtca.media import open_media
from avtca.recognize.prediction import SHORT_TRACK
from avtca.recognize.recognizer import Recognizer


@pytest.fixture(scope="module")
def face(sample_clips):
    return next(open_media(sample_clips / "01-01-01-01-01-01-01.mp4").frames(10)).rgb


def recognise(face, times, seconds, hop_s=None, person="all"):
    recognizer = Recognizer(RecordingBackend(SPEC), best_detector())
    arrays = {"frames": np.stack([face] * len(times)), "timestamps": np.array(times)}
    arrays |= {"waveform": 0.01 * tone(seconds, 16_000), "sample_rate": 16_000}
    return recognizer.predict(arrays, hop_s=hop_s, person=person)


@pytest.mark.parametrize("hop_s", [None, 0.3])
@pytest.mark.parametrize("every_s", [1, 2.5, 6])
def test_a_frame_is_in_view_until_the_next(face, every_s, hop_s):
    times = [k * every_s for k in range(4)]
    report = recognise(face, times, times[-1], hop_s)
    assert all(row.end_s > row.start_s for row in report.timeline)
    assert all(row.face == 1 for row in report.timeline)
    assert {row.person for row in report.timeline} == {0}
    assert report.coverage.face == 1.0
    assert any("few frames" in line for line in report.warnings)
    assert not any("no face" in line for line in report.warnings)


def test_beyond_ten_seconds_there_are_too_few_frames(face):
    report = recognise(face, [0, 30], 30)
    assert all(row.end_s > row.start_s for row in report.timeline)
    assert report.coverage.face == pytest.approx(10.2 / 30.1, abs=0.02)
    assert "too few frames: some are shown for longer than 10 s" in report.warnings
    assert report.timeline[-1].end_s == pytest.approx(report.duration_s)


@pytest.mark.parametrize(
    ("video_s", "audio_s", "warning"),
    [
        (4, 2, "the audio ends at 2.0 s, the video at 4.0 s"),
        (2, 4, "the video ends at 2.0 s, the audio at 4.0 s"),
        (4, 3.7, None),
        (2, 1.75, None),
    ],
)
def test_audio_or_video_that_ends_early(face, video_s, audio_s, warning):
    recognizer = Recognizer(RecordingBackend(SPEC, both=0.0, face=0.0, mixed=0.0), best_detector())
    n = 12 * video_s
    moving = np.stack([np.roll(face, k % 7, axis=1) for k in range(n)])
    arrays = {"frames": moving, "timestamps": np.arange(n) / 12}
    arrays |= {"waveform": 0.01 * tone(audio_s, 16_000), "sample_rate": 16_000}
    report = recognizer.predict(arrays, person="all")
    found = [line for line in report.warnings if " ends at " in line]
    assert found == ([] if warning is None else [warning])
    for one in (report, *report.people):
        assert (SHORT_TRACK in one.doubts) == (warning is not None)
        assert one.confident is (warning is None)
