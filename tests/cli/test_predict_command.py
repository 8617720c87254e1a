"""`avtca predict` as its user meets it: a process, its exit status, its two streams."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from avtca.labels import CREMAD, SEVEN

SMALL = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}


def avtca(*arguments, cwd=None, env=None):
    command = [sys.executable, "-m", "avtca", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**SMALL, **(env or {})}, check=False
    )


@pytest.fixture(scope="module")
def six(corpora):
    return sorted((corpora / "cremad").glob("*.flv"))


@pytest.fixture(scope="module")
def predicted(six, samples, tmp_path_factory):
    """The real clips through one call, with everything it can write."""
    out = tmp_path_factory.mktemp("out")
    clips = [*six, *sorted(samples.glob("*.m[po]*"))]
    done = avtca("predict", *clips, "--format", "json", "--out", out)
    return done, out, clips


def test_json_and_nothing_else_on_standard_output(predicted):
    done, _, clips = predicted
    rows = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [row["file"] for row in rows] == [str(clip) for clip in clips]
    for row in rows:
        assert set(row["scores"]) == set(SEVEN)
        assert sum(row["scores"].values()) == pytest.approx(1, abs=1e-3)
        assert row["top"] == max(row["scores"], key=row["scores"].get)
        assert {"timeline", "coverage", "warnings", "model"} <= set(row)
        for window in row["timeline"]:
            assert window["end_s"] > window["start_s"]


def test_real_clips_have_the_faces_and_voices_they_have(predicted):
    rows = {Path(row["file"]).name: row for row in json.loads(predicted[0].stdout)}
    for name, row in rows.items():
        if name.endswith(".flv") or name.startswith("01-01"):
            assert row["coverage"]["face"] > 0.9, name
            assert row["coverage"]["voice"] > 0.2, name
            assert row["coverage"]["read"] == 1
    assert rows["no_face.mp4"]["coverage"]["face"] == 0
    assert rows["park.mp4"]["coverage"]["face"] == 0
    assert 0 < rows["noface_face.mov"]["coverage"]["face"] < 0.8
    assert rows["short_hamilton_clip.mp4"]["coverage"]["face"] > 0.3


def test_most_of_the_six_are_named_as_they_were_acted(predicted):
    """Printed for the reader; the figure that counts is in benchmarks/results."""
    rows = {Path(row["file"]).name: row for row in json.loads(predicted[0].stdout)}
    right = 0
    for name, row in rows.items():
        if name.startswith("1001_"):
            wanted = CREMAD[name.split("_")[2]]
            print(name, "acted", wanted, "recognised", row["top"], row["scores"][row["top"]])
            right += row["top"] == wanted
    assert right >= 2


def test_the_folder_holds_a_page_pictures_json_and_csv(predicted):
    _, out, clips = predicted
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<section>") == len(clips)
    assert page.count("data:image/png;base64,") == len(clips)
    assert "http://" not in page
    assert "https://" not in page
    assert len(list(out.glob("*.png"))) == len(list(out.glob("*.csv"))) == len(clips)
    first = json.loads(next(iter(sorted(out.glob("*.json")))).read_text())
    assert first["file"] == str(clips[0])
    assert not list(out.glob(".*"))


def test_table_and_csv(six):
    table = avtca("predict", six[0])
    assert six[0].name in table.stdout
    assert "confidence" in table.stdout
    text = avtca("predict", *six[:2], "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {Path(row["file"]).name for row in rows} == {clip.name for clip in six[:2]}
    assert all(0 <= float(row["happy"]) <= 1 for row in rows)


@pytest.fixture
def bad(tmp_path, six):
    """One of each file that users give by mistake, and a good one."""
    (tmp_path / "text.mp4").write_text("not a film")
    (tmp_path / "empty.mp4").touch()
    whole = six[0].read_bytes()
    (tmp_path / "stub.flv").write_bytes(whole[:200])
    (tmp_path / "good.flv").write_bytes(whole)
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "note.txt").write_text("no media here")
    return tmp_path


def test_each_bad_file_is_one_line_and_the_good_one_is_done(bad):
    names = ["text.mp4", "empty.mp4", "stub.flv", "album", "missing.mp4", "good.flv"]
    done = avtca("predict", *names, "--format", "json", cwd=bad)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    rows = {row["file"]: row for row in json.loads(done.stdout)}
    assert "top" in rows["good.flv"]
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 5
    for name in names[:-1]:
        assert set(rows[name]) == {"file", "error"}
        assert sum(name in line for line in errors) == 1
        assert ";" in rows[name]["error"]
    assert "5 of 6 could not be read" in done.stderr


def test_mistakes_in_the_call_are_one_line(six, tmp_path):
    (tmp_path / "file").touch()
    calls = [
        ("predict", six[0], "--model", tmp_path / "nowhere"),
        ("predict", six[0], "--window", "99"),
        ("predict", six[0], "--hop", "0"),
        ("predict", six[0], "--detector", "eyes"),
        ("predict", six[0], "--out", tmp_path / "file"),
        ("predict", six[0], "--device", "warp"),
    ]
    for call in calls:
        done = avtca(*call)
        assert done.returncode == 2, (call, done.stderr)
        assert done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1, (call, done.stderr)
        assert done.stderr.startswith("error: "), (call, done.stderr)


def test_debug_shows_the_traceback(tmp_path):
    done = avtca("--debug", "predict", "x.mp4", "--model", tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_the_input_is_never_touched(six):
    before = [(clip.stat().st_mtime_ns, clip.read_bytes()) for clip in six[:1]]
    avtca("predict", six[0])
    assert before == [(clip.stat().st_mtime_ns, clip.read_bytes()) for clip in six[:1]]
