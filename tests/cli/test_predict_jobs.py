"""`avtca predict --jobs`: several processes give what one gives, in the same order."""

import json
import os
import signal
import subprocess
import sys

import pytest

from avtca import worker_pool
from avtca.errors import MediaError
from avtca.recognize import pool
from avtca.recognize.pool import Job, Pool, Timed
from avtca.serve.settings import Settings
from avtca.worker_pool import default_workers


def run(*arguments):
    command = [sys.executable, "-m", "avtca", "predict", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fake_predict(loaded, job):
    """Stands for a recognition in a worker process: slow first, then a crash and an error."""
    import time

    if job.path == "slow":
        time.sleep(0.5)
    if job.path == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.path == "broken":
        return MediaError("read broken", "it is empty", "export it again")
    return Timed(job.path.upper(), 0.0)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of Unix")
def test_outcomes_come_in_order_and_a_crash_is_one_outcome(monkeypatch):
    monkeypatch.setattr(pool, "_predict", fake_predict)
    names = ["slow", None, "a", "broken", "crash", "b", None]
    jobs = [None if name is None else Job(0, name, {}) for name in names]
    outcomes = list(Pool(None, None, "cpu", 2).outcomes(jobs))
    assert [one.report if isinstance(one, Timed) else one for one in outcomes[:3]] == [
        "SLOW",
        None,
        "A",
    ]
    assert [type(one) for one in outcomes[3:]] == [MediaError, MediaError, Timed, type(None)]
    assert "the process that read it ended" in str(outcomes[4])


def test_default_workers():
    assert [default_workers(n) for n in (0, 1, 3, 7)] == [1, 1, 1, 1]
    assert 1 <= default_workers(10_000) <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("memory", "cpu", "workers"),
    [("max", "max 100000", 8), (str(3 * 2**30), "max 100000", 3), ("max", "150000 100000", 2)],
)
def test_workers_in_a_container(monkeypatch, tmp_path, memory, cpu, workers):
    (tmp_path / "memory.max").write_text(memory + "\n")
    (tmp_path / "cpu.max").write_text(cpu + "\n")
    monkeypatch.setattr(worker_pool, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "sysconf", lambda _: 2**20, raising=False)
    assert worker_pool.max_workers() == Settings().n_workers == workers
    assert Settings(workers=5).n_workers == 5


@pytest.mark.slow
def test_two_jobs_report_what_one_reports(corpora, tmp_path):
    clips = [corpora / "cremad" / f"1001_DFA_{name}_XX.flv" for name in ("SAD", "ANG", "NEU")]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no media")
    files = [clips[0], broken, *clips[1:]]
    printed = {}
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        done = run(*files, "--jobs", jobs, "--format", "json", "--out", out)
        assert done.returncode == 2, done.stderr
        printed[jobs] = json.loads(done.stdout), (out / "summary.csv").read_text()
    assert [row["file"] for row in printed[1][0]] == list(map(str, [*clips, broken]))
    assert printed[1] == printed[2]
    again = run(*files, "--jobs", 2, "--format", "json", "--out", tmp_path / "2")
    assert again.stderr.count("already recognised") == 3
    assert json.loads(again.stdout) == printed[2][0]
