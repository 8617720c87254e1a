"""Awkward audio of a real clip gives the answer of the clean audio."""

import pytest

import avtca
from avtca.errors import MediaError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recognizer():
    return avtca.load()


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("quiet30.wav", "very quiet audio: amplified by 30 dB"),
        ("big_f32.wav", "the audio has samples up to 7.6"),
    ],
)
def test_scale_and_level(recognizer, shared, name, warning):
    clean = recognizer.predict(shared / "faults/ang_dc02.wav")
    found = recognizer.predict(shared / "faults" / name)
    assert found.top == clean.top
    assert found.scores == pytest.approx(clean.scores, abs=0.02)
    assert found.coverage.voice == pytest.approx(clean.coverage.voice, abs=0.01)
    assert found.warnings[0].startswith(warning)


def test_opposite_phase(recognizer, shared):
    found = recognizer.predict(shared / "faults/phase.mp4")
    assert found.coverage.voice == pytest.approx(0.60, abs=0.03) and found.top == "angry"
    assert found.warnings == ("the channels are in opposite phase: channel 1 alone is used",)


def test_a_track_by_hand(recognizer, shared):
    path = shared / "faults/obs.mkv"
    assert recognizer.predict(path).coverage.voice == pytest.approx(0.60, abs=0.03)
    silent = recognizer.predict(path, audio_track=1)
    assert silent.coverage.voice == 0 and "no voice found" in silent.warnings[-1]
    with pytest.raises(MediaError, match=r"read audio track 3 of .*obs.mkv: .* it has 2"):
        recognizer.predict(path, audio_track=3)
    thumbnail = recognizer.predict(shared / "faults/twovid.mp4", video_track=1)
    assert thumbnail.warnings[0] == "2 video tracks: track 1 is used"
    assert thumbnail.timeline[0].box[2] < 64
