"""Formats of segments that `avtca predict` prints or writes."""

import csv
import io
import os
import subprocess
import sys

import pytest
from command_line import avtca

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def six(corpora):
    return sorted((corpora / "cremad").glob("*.flv"))


@pytest.fixture(scope="module")
def short(sample_clips):
    return sample_clips / "obama_speech.mp4"


def test_exports_are_printed_or_written_to_the_folder(short, six, tmp_path):
    printed = avtca("predict", short, "--format", "VTT")
    assert printed.stdout.startswith("WEBVTT\n\nNOTE avtca segments: ")
    out = tmp_path / "out"
    written = avtca("predict", short, six[0], "--format", "vtt", "--out", out)
    assert (written.returncode, written.stdout) == (0, "")
    assert f"vtt: {out}/*.vtt (2 file(s))" in written.stderr
    assert (out / f"{short.name}.vtt").read_text() == printed.stdout
    again = avtca("predict", short, six[0], "--format", "rttm", "--out", out)
    assert again.stderr.count("already recognised") == 2
    names = {path.name for path in out.iterdir()}
    wanted = {f"{clip.name}.{suffix}" for clip in (short, six[0]) for suffix in ("vtt", "rttm")}
    assert wanted <= names
    lines = (out / f"{six[0].name}.rttm").read_text().splitlines()
    assert lines and all(line.startswith(f"SPEAKER {six[0].stem} 1 ") for line in lines)
    before = {path.name for path in out.iterdir()}
    avtca("predict", short, six[0], "--format", "audformat", "--out", out)
    assert {path.name for path in out.iterdir()} - before == {"audformat"}
    table = list(csv.DictReader((out / "audformat" / "db.segments.csv").open()))
    assert [row["file"] for row in table if row["file"] != str(short)] == [str(six[0])] * len(lines)
    assert {row["file"] for row in table} == {str(short), str(six[0])}


def test_exports_that_cannot_be_are_one_line(short, six):
    unknown = avtca("predict", short, "--format", "elan")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    (line,) = unknown.stderr.splitlines()
    assert line.startswith("error: --format elan: there is no such format; choose one of table, ")
    assert line.endswith(
        "eaf, textgrid, vtt, srt, rttm, turns, tsv, parquet, fex, bids, boris, audformat"
    )
    two = avtca("predict", short, six[0], "--format", "eaf")
    assert (two.returncode, two.stdout) == (2, "")
    (line,) = two.stderr.splitlines()
    assert line.startswith("error: print 2 files as eaf: ") and "--out" in line
    for name in ("bids", "audformat"):
        done = avtca("predict", short, "--format", name)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"error: print {name}: it consists of several files; give a folder")
    table = avtca("predict", short, six[0], "--format", "tsv").stdout
    rows = list(csv.DictReader(io.StringIO(table), delimiter="\t"))
    assert {row["file"] for row in rows} == {str(short), str(six[0])}


def test_parquet_needs_pyarrow(short, tmp_path):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    command = [sys.executable, "-m", "avtca", "predict", str(short), "--format", "parquet"]
    path.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    assert set(pyarrow.read_table(path).to_pydict()["file"]) == {str(short)}
    (tmp_path / "pyarrow.py").write_text("raise ImportError")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = avtca("predict", short, "--format", "parquet", env={"PYTHONPATH": path})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("error: write parquet: pyarrow is not installed; pip install pyarrow\n")
