"""Windows are scored by a thread of their own, in order, a few at a time."""

import threading
from contextlib import suppress

import numpy as np
import pytest
from media_clips import tone
from recording_backend import RecordingBackend
from small_spec import SPEC

from avtca.errors import CheckpointError, MediaError
from avtca.faces import best_detector
from avtca.media import open_media
from avtca.recognize.recognizer import MAX_SCORING, Recognizer
from avtca.recognize.scorer import WindowScorer

N_WINDOWS = 12


@pytest.fixture
def recognise(sample_clips):
    """Recognise 12 windows; counts those that were read."""
    face = next(open_media(sample_clips / "01-01-01-01-01-01-01.mp4").frames(10)).rgb
    recognizer = Recognizer(RecordingBackend(SPEC), best_detector())
    seconds = SPEC.window_s * (N_WINDOWS + 1) / 2
    arrays = {"frames": np.stack([face] * round(10 * seconds)), "fps": 10}
    arrays |= {"waveform": 0.01 * tone(seconds, 16_000), "sample_rate": 16_000}
    read = []

    def call():
        return recognizer.predict(arrays, progress=lambda *one: read.append(one))

    return call, read


def test_windows_are_scored_in_order_by_one_other_thread(recognise, monkeypatch):
    call, read = recognise
    scored = []
    add = WindowScorer.add

    def recording(self, window):
        scored.append((window.start_step, threading.current_thread().name))
        add(self, window)

    monkeypatch.setattr(WindowScorer, "add", recording)
    report = call()
    assert len(scored) == len(read) == len(report.timeline) == N_WINDOWS
    assert [start / SPEC.video_rate for start, _ in scored] == [
        row.start_s for row in report.timeline
    ]
    assert len({name for _, name in scored} - {threading.main_thread().name}) == 1
    assert not any(thread.name == scored[0][1] for thread in threading.enumerate())


def test_a_window_that_fails_ends_the_reading(recognise, monkeypatch):
    call, read = recognise

    def failing(self, window):
        raise CheckpointError("run the model", "it is broken", "export it again")

    monkeypatch.setattr(WindowScorer, "add", failing)
    with pytest.raises(CheckpointError, match="it is broken"):
        call()
    assert len(read) <= MAX_SCORING


def test_reading_waits_for_windows_that_are_being_scored(recognise, monkeypatch):
    call, read = recognise
    allowed, waiting = threading.Semaphore(0), threading.Event()
    at_most = []

    def slow(self, window):
        waiting.set()
        allowed.acquire()
        at_most.append(len(read))
        allowed.release()

    monkeypatch.setattr(WindowScorer, "add", slow)

    def read_all():
        with suppress(MediaError):  # nothing is scored
            call()

    reader = threading.Thread(target=read_all)
    reader.start()
    assert waiting.wait(20)
    reader.join(1.5)
    assert reader.is_alive() and len(read) == MAX_SCORING
    allowed.release()
    reader.join(20)
    assert not reader.is_alive() and at_most[0] == MAX_SCORING
