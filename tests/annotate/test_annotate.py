"""`avtca annotate` gives what `avtca predict` gives, once for each recording, whatever ends it."""

import os
import signal
import socket
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import annotate_faults as faults
import pytest

pytest.importorskip("pyarrow")

from pyarrow import parquet

import avtca
from avtca.annotate import annotate, run
from avtca.annotate.recordings import Recording
from avtca.annotate.result import Options, annotate_recording, failed
from avtca.errors import ConfigError, MissingExtra
from avtca.worker_pool import LoneWorker


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifest of 12 recordings, of which the last one is missing."""
    folder = tmp_path_factory.mktemp("corpus")
    manifest = faults.make(folder, 12)
    (folder / "00011.wav").unlink()
    return manifest


def rows(out: Path, table: str = "recordings") -> list[dict]:
    return faults.rows_of(out, table)


def test_the_tables_have_what_predict_gives(corpus: Path, tmp_path: Path) -> None:
    folder, out = corpus.parent, tmp_path / "out"
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(folder / "00000.wav", "in.wav")
    manifest = tmp_path / "m.csv"
    paths = [folder / "00000.wav", f"file://{folder}/00000.wav", "zip://in.wav::z.zip"]
    lines = [f"{k},{path},0.2,0.9" for k, path in zip("abc", paths, strict=True)]
    manifest.write_text("\n".join(["id,path,start,end", *lines, "d,gone.wav,,", "e,a.wav,x,"]))
    seen = []
    summary = annotate(
        [manifest], out, jobs=0, hop_s=0.3, progress=lambda stage, done, total: seen.append(done)
    )
    assert (summary.recordings, summary.before, summary.failed) == (5, 0, 2)
    assert seen == [0, 1, 2, 3, 4, 5]
    report = avtca.load().predict(folder / "00000.wav", start_s=0.2, end_s=0.9, hop_s=0.3)
    a, b, c, d, e = rows(out)
    plain = report.to_dict()
    for name in ("top", "confidence", "sure", "streams", "duration_s"):
        assert a[name] == plain[name]
    assert {name: a[name] for name in report.labels} == plain["scores"]
    assert (a["path"], a["start_s"], a["end_s"], a["status"]) == (str(paths[0]), 0.2, 0.9, "ok")
    assert (a["read"], a["voice"]) == (plain["coverage"]["read"], plain["coverage"]["voice"])
    assert (a["people"], a["windows"]) == (0, len(report.timeline))
    assert a | {"id": "b", "path": b["path"]} == b
    assert a | {"id": "c", "path": "zip://in.wav::z.zip"} == c
    assert (d["status"], d["error"]) == (
        "failed",
        f"read {tmp_path / 'gone.wav'}: no such file; check the path",
    )
    assert "row 6" in e["error"] and d["top"] is e["top"] is d["windows"] is None
    windows = [row for row in rows(out, "windows") if row["id"] == "a"]
    expected = [["a", *row[1:]] for row in report.window_rows()]
    assert [list(row.values()) for row in windows] == expected
    with pytest.raises(ConfigError, match="existing run uses different settings: hop_steps"):
        annotate([manifest], out, jobs=0)
    (tmp_path / "gone.wav").write_bytes((folder / "00002.wav").read_bytes())
    again = annotate([manifest], out, jobs=0, hop_s=0.3)
    assert (again.before, again.failed) == (5, 2)
    again = annotate([manifest], out, jobs=0, hop_s=0.3, retry_failed=True)
    assert (again.before, again.failed) == (3, 1) and len(rows(out)) == 5


def fake_annotate(options: Options, recording: Recording) -> str:
    """Stands for a recognition in a worker process: one recording kills it."""
    if recording.id == "r00003":
        os.kill(os.getpid(), signal.SIGKILL)
    return failed(recording, "fake")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of Unix")
def test_a_file_that_kills_its_process_is_a_row(corpus: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(run, "annotate_recording", fake_annotate)
    annotate([corpus], tmp_path / "out", jobs=1)
    found = {row["id"]: row["error"] for row in rows(tmp_path / "out")}
    assert len(found) == 12 and "the process that read it ended" in found.pop("r00003")
    assert set(found.values()) == {"fake"}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of Unix")
def test_a_lone_worker_is_started_again() -> None:
    worker = LoneWorker[str]()
    try:
        assert [worker.run(call) for call in (str, partial(os._exit, 3), str)] == ["", None, ""]
    finally:
        worker.close()


def test_an_internal_error_is_a_row(monkeypatch) -> None:
    monkeypatch.setattr("avtca.annotate.result._predict", lambda *_: 1 / 0)
    line = annotate_recording(Options(), Recording("a", "a.wav", "/a.wav"))
    assert "internal error: ZeroDivisionError: division by zero" in line


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"engine": "spark"}, "use engine 'spark': unknown choice"),
        ({"shard": (3, 2)}, "the shards are 1/2 to 2/2"),
        ({"window_s": 100.0}, "use windows of 100 s"),
        (
            {"person": "none"},
            "recognise person 'none': unknown choice; choose 'main' or 'all' or 'speaker'",
        ),
    ],
)
def test_options_that_are_refused(corpus: Path, tmp_path: Path, options, why) -> None:
    with pytest.raises(ConfigError, match=why):
        annotate([corpus], tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_packages_that_are_not_installed(corpus: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"ray is not installed; pip install 'avtca\[ray\]'"):
        annotate([corpus], tmp_path / "out", engine="ray")
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'avtca\[annotate\]'"):
        annotate([corpus], tmp_path / "out")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of Unix")
def test_stopped_by_ctrl_c_and_by_sigkill(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    child = faults.start(corpus, "--out", out, "--jobs", 1)
    faults.wait_for(out, 2, child)
    child.send_signal(signal.SIGSTOP)
    second = subprocess.run(
        [*faults.COMMAND, str(corpus), "--out", str(out)], capture_output=True, text=True
    )
    assert second.returncode == 2 and "another avtca annotate writes to this" in second.stderr
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGCONT)
    text = child.communicate()[1]
    assert child.returncode == 130, text
    stopped = f"stopped after {len(rows(out))} of 12; run the same command again to resume"
    assert text.splitlines()[-1] == stopped
    faults.run_local(corpus, out, [min(12, faults.n_done(out) + 2)])
    assert faults.counts(out, 12) | {"failed": 0, "windows": 0} == {
        "recordings": 12, "results": 12, "twice": 0, "lost": 0, "failed": 0, "windows": 0,
        "windows_twice": 0,
    }  # fmt: skip
    whole = tmp_path / "whole"
    annotate([corpus], whole, jobs=0)
    assert faults.same(out, whole)


def test_a_ray_cluster_that_is_not_there(corpus: Path, tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nothing listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ConfigError, match=f"no cluster at RAY_ADDRESS={address}: Connection"):
            annotate([corpus], tmp_path / "out", engine="ray")
    monkeypatch.setenv("RAY_ADDRESS", "node..lab:6379")
    with pytest.raises(ConfigError, match=r"no cluster at RAY_ADDRESS=node\.\.lab:6379: "):
        annotate([corpus], tmp_path / "out", engine="ray")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a cluster on one machine needs Unix")
def test_a_ray_cluster_that_loses_a_node(corpus: Path, tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_health_check_period_ms", "500")  # found dead after 2 s, not 15
    monkeypatch.setenv("RAY_health_check_failure_threshold", "2")
    monkeypatch.setenv("RAY_health_check_timeout_ms", "2000")
    faults.run_ray(corpus, tmp_path / "ray", kill_at=3)
    assert faults.counts(tmp_path / "ray", 12)["lost"] == 0
    annotate([corpus], tmp_path / "local", jobs=0)
    assert faults.same(tmp_path / "ray", tmp_path / "local")
    assert len(parquet.read_table(tmp_path / "ray" / "recordings")) == 12
