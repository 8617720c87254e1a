"""A reading of segments that was stopped resumes with the same results."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from recording_backend import RecordingBackend
from small_spec import RECOGNIZER_SPEC

import avtca
from avtca.cli.sentences import JOURNAL
from avtca.faces import best_detector
from avtca.recognize import Recognizer
from avtca.recognize.journal import Journal, journaled
from avtca.recognize.sentences import predict_sentences

SPANS = [(0.2, 1.4), (1.5, 2.8)]


def doubled(journal, values, kind="x"):
    """The double of some values from a journal, and whether it was computed."""
    computed = []
    array = np.array(values, np.float32)
    found = journal.result(kind, [array], lambda: computed.append(1) or array * 2)
    return found.tolist(), bool(computed)


def test_results_are_kept_but_for_one_that_was_cut_off(tmp_path):
    path = tmp_path / "part"
    journal = Journal(path, "a")
    assert doubled(journal, [1, 2]) == ([2, 4], True)
    assert doubled(journal, [1, 2]) == ([2, 4], False)
    assert doubled(journal, [[1, 2]]) == ([[2, 4]], True)  # another shape
    assert doubled(journal, [1, 2], "y") == ([2, 4], True)
    assert doubled(journal, [3]) == ([6], True)
    journal.close()
    path.write_bytes(path.read_bytes()[:-3])
    again = Journal(path, "a")
    assert [doubled(again, x)[1] for x in ([1, 2], [[1, 2]], [3])] == [False, False, True]
    again.close()
    assert doubled(Journal(path, "a"), [3]) == ([6], False)
    other = Journal(path, "b")
    assert doubled(other, [1, 2]) == ([2, 4], True)
    other.close()
    empty = Journal(tmp_path / "empty", "a")
    empty.close()
    assert not (tmp_path / "empty").exists()
    unwritable = Journal(tmp_path / "no folder" / "part", "a")
    assert doubled(unwritable, [1]) == doubled(unwritable, [1]) == ([2], True)


class Interrupted:
    """A detector that counts its calls, and is interrupted at one of them."""

    def __init__(self, stop_at=None):
        self.inner, self.calls, self.stop_at = best_detector(), 0, stop_at

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def detect(self, rgb):
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        return self.inner.detect(rgb)


def test_a_resumed_reading_has_the_results_of_a_whole_one(shared, tmp_path):
    path, part = shared / "talking" / "pwij3p.mpg", tmp_path / JOURNAL

    def reports(detector):
        recognizer = Recognizer(RecordingBackend(RECOGNIZER_SPEC, both=0.0), detector)
        with journaled(recognizer, part, "key") as kept:
            return [one.to_dict() for one in predict_sentences(kept, path, SPANS)]

    whole = Recognizer(RecordingBackend(RECOGNIZER_SPEC, both=0.0), best_detector())
    expected = [one.to_dict() for one in predict_sentences(whole, path, SPANS)]
    first, second, third = Interrupted(8), Interrupted(), Interrupted()
    with pytest.raises(KeyboardInterrupt):
        reports(first)
    assert reports(second) == expected == reports(third)
    assert second.calls > 0 and third.calls == 0


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of Unix")
def test_predict_resumes_segments_after_a_kill(shared, tmp_path):
    path, out = shared / "talking" / "pwij3p.mpg", tmp_path / "out"
    sheet = tmp_path / "segments.csv"
    sheet.write_text("start,end\n" + "".join(f"{a},{b}\n" for a, b in SPANS))
    words = ["predict", path, "--segments", sheet, "--out", out, "--format", "json"]
    command = [sys.executable, "-m", "avtca", *map(str, words)]
    journal, limit = out / JOURNAL, time.monotonic() + 60
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (journal.exists() and journal.stat().st_size > 500) and time.monotonic() < limit:
            time.sleep(0.005)
        process.kill()
    assert journal.stat().st_size > 500 and not list(out.glob("*.csv"))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.startswith(f"note: resumes the reading of {path}\n")
    expected = predict_sentences(avtca.load(), path, SPANS)
    for found, report in zip(json.loads(done.stdout), expected, strict=True):
        assert found == json.loads(json.dumps(report.to_dict()))
    assert not journal.exists() and (out / "summary.csv").is_file()
